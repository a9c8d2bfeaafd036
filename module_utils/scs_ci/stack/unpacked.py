"""The stack in a release, with what its charts print: what a cluster gets of it, whatever it was made of."""

from __future__ import annotations

import tarfile
from collections.abc import Mapping
from dataclasses import replace

from ..core.errors import ProductProblem
from . import archive
from .charts import ChartSource
from .content import Content
from .declared import CHART_NAME
from .helm import Helm
from .layouts import ADDON_CONFIG, ADDON_DIR, CLASS_DIR, LAYOUT_A, TOOL_CONFIG
from .model import Stack, build_model
from .render import render_alone
from .treehash import ADDON_VALUES


def unpacked(release: Content) -> Stack:
    """The model of a release; ProductProblem when its archives cannot be read."""
    classes = [name for name in release.files if '-cluster-class-' in name and name.endswith('.tgz')]
    addons = [name for name in release.files if '-cluster-addon-' in name and name.endswith('.tgz')]
    if len(classes) != 1:
        raise _unreadable(release, f'it has {len(classes)} archives of a cluster class, must be one')
    files = _chart(release, classes[0], CLASS_DIR)
    stages = ADDON_CONFIG in release.files
    for name in addons:
        files |= _stages(release, name) if stages else _chart(release, name, ADDON_DIR)
    for name in (ADDON_CONFIG, ADDON_VALUES):
        if name in release.files:
            files[name] = release.files[name]
    chart = archive.inspect(classes[0], release.files[classes[0]])
    files[TOOL_CONFIG[LAYOUT_A]] = _declaration(release, chart.name)
    return build_model(release.title, LAYOUT_A, dict(sorted(files.items())))


def _declaration(release: Content, chart: str) -> bytes:
    """What csctl.yaml must have said; the name is told by the class chart, as the operator sees it."""
    match = CHART_NAME.fullmatch(chart)
    if not match:
        raise _unreadable(release, f'its class chart is called {chart!r}')
    return (
        f'config:\n  clusterStackName: {match["name"]}\n  kubernetesVersion: {release.kubernetes}\n'
        f'  provider:\n    type: {match["provider"]}\n'
    ).encode()


def _unpack(release: Content, name: str) -> Mapping[str, bytes]:
    try:
        return archive.unpack(release.files[name])
    except (OSError, EOFError, tarfile.TarError, ValueError) as error:
        raise _unreadable(release, f'{name}: {error}') from error


def _chart(release: Content, name: str, directory: str) -> dict[str, bytes]:
    """Helm packs a chart below a directory of its name."""
    return {
        f'{directory}/{path.partition("/")[2]}': data for path, data in _unpack(release, name).items() if '/' in path
    }


def _stages(release: Content, name: str) -> dict[str, bytes]:
    return {f'{ADDON_DIR}/{path}': data for path, data in _unpack(release, name).items()}


def _unreadable(release: Content, answer: str) -> ProductProblem:
    return ProductProblem(
        'cannot read', f'release {release.title}', answer, "build it again with 'scs-ci release build'"
    )


def rendered(release: Content, helm: Helm, source: ChartSource) -> Stack:
    """The stack of a release with what its charts print for a made-up cluster."""
    stack = unpacked(release)
    return replace(stack, renderings=render_alone(stack, helm, source))
