"""Building a release directory, in the layout and with the hashes of csctl. The checkout is never written to."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..core import files
from ..core.errors import ProductProblem, ToolProblem
from . import archive, release
from .helm import Helm
from .model import Stack
from .treehash import Hashes, hashes
from .versions import Identity


@dataclass(frozen=True)
class Release:
    """A built release. directory: named like the tag; digests: sha256 of each file, by name."""

    identity: Identity
    versions: release.Versions
    hashes: Hashes
    directory: Path
    digests: dict[str, str]

    @property
    def tag(self) -> str:
        return self.identity.tag(self.versions.stack)


def build(stack: Stack, target: Path, helm: Helm, versions: release.Versions | None = None) -> Release:
    """Build the release of a stack into `target/<tag>`, replacing an earlier build of the same tag.

    versions: None for those of its hash. Raises ProductProblem for a stack that no release can be made of.
    """
    identity = release.demand_identity(stack)
    if stack.class_chart is None:
        raise ProductProblem(
            'cannot release', f'stack {stack.path}', 'it has no cluster-class/Chart.yaml', 'add the class chart'
        )
    content = hashes(stack.files)
    versions = versions or release.hash_versions(content)
    made = _contents(stack, identity, versions, content, helm)
    directory = target / identity.tag(versions.stack)
    _write(directory, made)
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in made.items()}
    return Release(identity, versions, content, directory, digests)


def _contents(
    stack: Stack, identity: Identity, versions: release.Versions, content: Hashes, helm: Helm
) -> dict[str, bytes]:
    made = {
        'metadata.yaml': release.metadata(identity, versions).encode(),
        'hashes.json': release.hashes_json(content).encode(),
        identity.class_archive(versions.stack): _packed(
            release.class_files(stack, identity, versions), stack, versions.stack.dotted, helm
        ),
    }
    made |= release.addon_config(stack, versions)
    addons = release.addon_files(stack, versions)
    if addons and stack.addon_layout == 'stages':
        made[identity.addon_archive(versions.addon)] = archive.pack(addons, directories=True)
    elif addons:
        made[identity.addon_archive(versions.addon)] = _packed(addons, stack, versions.addon.dotted, helm)
    images = node_images(stack)
    if images is not None:
        made[release.RELEASED_NODE_IMAGES] = images
    return dict(sorted(made.items()))


def node_images(stack: Stack) -> bytes | None:
    """The list of node images that goes into the release, None without one."""
    return stack.files.get(release.NODE_IMAGES) if _plugin_would_run(stack) else None


def _plugin_would_run(stack: Stack) -> bool:
    """csctl's plugin copies the node images with `method: get`; other methods build images, which is not our trade."""
    config = stack.yaml.get('csctl.yaml')
    return config is not None and config.value('config', 'provider', 'config', 'method') == 'get'


def _packed(chart: Mapping[str, bytes], stack: Stack, version: str, helm: Helm) -> bytes:
    """helm decides what belongs to a chart (.helmignore); its archive is then packed again, reproducibly."""
    with TemporaryDirectory(prefix='scs-ci-chart-') as work:
        source, target = Path(work) / 'chart', Path(work) / 'packed'
        target.mkdir()
        write_tree(source, chart)
        try:
            return release.repack(helm.package(source, version, target).read_bytes())
        except ToolProblem as problem:
            advice = 'correct the chart: helm refuses to pack it'
            raise ProductProblem(problem.what, f'a chart of stack {stack.path}', problem.answer, advice) from problem


def write_tree(directory: Path, content: Mapping[str, bytes]) -> None:
    """Write files below a directory; their paths are those of a stack that was read, hence never leave it."""
    for name, data in content.items():
        files.write_atomic(directory / name, data)


def _write(directory: Path, content: Mapping[str, bytes]) -> None:
    """Made aside and renamed into place: an interrupted build leaves no directory that looks finished."""
    aside = directory.with_name(f'.{directory.name}.new')
    shutil.rmtree(aside, ignore_errors=True)
    write_tree(aside, content)
    shutil.rmtree(directory, ignore_errors=True)
    aside.rename(directory)


def facts(built: Release, stack: Stack) -> dict[str, Any]:
    """What publish and deploy need to know; goes into the record."""
    return {
        'tag': built.tag,
        'version': built.versions.stack.dotted,
        'class': built.identity.class_name(built.versions.stack),
        'helm_release': built.identity.base,
        'provider': built.identity.provider,
        'stack': built.identity.name,
        'minor': f'{built.identity.kubernetes.major}.{built.identity.kubernetes.minor}',
        'kubernetes': str(built.identity.kubernetes),
        'stages': list(stack.stage_names),
        'hooks': {
            hook: [s.name for s in stack.stages if s.hook == hook]
            for hook in dict.fromkeys(s.hook for s in stack.stages)
        },
        'hash': built.hashes.cluster_stack,
        'files': built.digests,
    }
