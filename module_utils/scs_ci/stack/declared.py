"""What a stack declares itself to be: provider, name and Kubernetes version, with the places that say so."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from .layouts import CLASS_DIR, LAYOUT_B, LAYOUT_HISTORIC, TOOL_CONFIG
from .yamlfile import Stated, YamlFile, stated

CHART_NAME = re.compile(r'(?P<provider>[a-z0-9]+)-(?P<name>[a-z0-9]+)-(?P<major>\d+)-(?P<minor>\d+)(?:-cluster-class)?')


@dataclass(frozen=True)
class Declared:
    """The three statements; a text is '' where nothing states it."""

    provider: Stated
    name: Stated
    kubernetes: Stated


def declared(layout: str, files: Mapping[str, YamlFile]) -> Declared:
    """What the tool's configuration says; before there was one, the name of the class chart and metadata.yaml."""
    config = files.get(TOOL_CONFIG[layout], YamlFile(TOOL_CONFIG[layout]))
    if layout == LAYOUT_HISTORIC:
        return _historic(config, files.get(f'{CLASS_DIR}/Chart.yaml', YamlFile(f'{CLASS_DIR}/Chart.yaml')))
    if layout == LAYOUT_B:
        return Declared(
            stated(config, 'provider'), stated(config, 'clusterStackName'), stated(config, 'kubernetesVersion')
        )
    return Declared(
        stated(config, 'config', 'provider', 'type'),
        stated(config, 'config', 'clusterStackName'),
        stated(config, 'config', 'kubernetesVersion'),
    )


def _historic(metadata: YamlFile, chart: YamlFile) -> Declared:
    place = stated(chart, 'name')
    match = CHART_NAME.fullmatch(place.text)
    version = stated(metadata, 'versions', 'kubernetes')
    if not version.text:
        version = Stated(f'v{match["major"]}.{match["minor"]}' if match else '', place.file, place.line)
    provider, name = (Stated(match[key] if match else '', place.file, place.line) for key in ('provider', 'name'))
    return Declared(provider, name, version)
