"""The node image that the class asks for has the name that the files beside it give to the image."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from ...core.records import Severity
from ..clusterclass import ClusterClass, cluster_classes
from ..defaults import literals, variable_defaults
from ..images import node_images
from ..model import Stack
from ..rule import CLASS_HEAD, Example, Hit, Rule, printed_class

IMAGE = 'image.yaml'
# `ubuntu-capi-image-{{ .builtin.cluster.topology.version }}`, the first part also from a variable.
LITERAL = re.compile(r'(?P<base>[\w.-]+)-\{\{-?\s*\.builtin\.[\w.]*version\b')
VARIABLE = re.compile(r'\{\{-?\s*\.(?P<name>\w+)\s*-?\}\}(?:\{\{[^}]*\}\})?-\{\{-?\s*\.builtin\.[\w.]*version\b')
VERSIONED = re.compile(r'v\d+\.\d+\.\d+')


def check(stack: Stack) -> Iterable[Hit]:
    version = stack.version
    if version is None or version.patch is None:
        return
    asked = {f'{base}-{version}' for found in cluster_classes(stack) for base in _bases(stack, found)}
    asked |= {d.text for d in literals(stack) if d.name == 'name' and 'image' in d.keys and VERSIONED.search(d.text)}
    for image in node_images(stack):
        if asked and image.version == version and image.name not in asked:
            file, line = image.place(image.owner)
            wanted = ' or '.join(sorted(asked))
            message = f'this image will be named {image.name!r}, clusters of the class ask for {wanted}: use one name'
            yield Hit(file, line, message, seen=image.name, wanted=wanted)


def _bases(stack: Stack, found: ClusterClass) -> set[str]:
    """Names of images without their versions, as the patches make them of literals and of defaults of variables."""
    given = {d.name: d.text for d in variable_defaults(stack) if len(d.keys) == 1}
    bases: set[str] = set()
    for patch in found.patches:
        for operation in (o for definition in patch.definitions for o in definition.operations):
            if '/image' in operation.path:
                bases |= {match['base'] for match in LITERAL.finditer(operation.template)}
                names = (match['name'] for match in VARIABLE.finditer(operation.template))
                bases |= {given[name] for name in names if given.get(name)}
    return bases


def _example(template: str, name: str, bad: bool = True) -> Example:
    spec = (
        '  variables:\n    - name: imageName\n'
        '      schema:\n        openAPIV3Schema:\n          default: ubuntu-capi-image\n'
        '  patches:\n    - name: image\n      definitions:\n        - selector: {kind: OpenStackMachineTemplate}\n'
        '          jsonPatches:\n            - op: replace\n              path: /spec/template/spec/image/filter/name\n'
        f"              valueFrom:\n                template: '{template}'\n"
    )
    image = f'kind: Image\nmetadata:\n  name: {name}\nspec:\n  resource:\n    visibility: private\n'
    hits = ((IMAGE, 3),) if bad else ()
    return replace(printed_class(CLASS_HEAD + spec, files={IMAGE: image}), hits=hits)


_LITERAL = 'ubuntu-capi-image-{{ .builtin.cluster.topology.version }}'
_VARIABLE = '{{ .imageName }}{{ if .imageAddVersion }}-{{ .builtin.controlPlane.version }}{{ end }}'

RULE = Rule(
    id='image-names',
    severity=Severity.ERROR,
    title='the class asks for the node image by the name that it gets',
    motivation='OpenStack finds images by name: with another name no server is made, which only a condition tells.',
    check=check,
    bad=(_example(_LITERAL, 'ubuntu-capi-v1.34.7'), _example(_VARIABLE, 'ubuntu-capi-v1.34.7')),
    good=(
        _example(_LITERAL, 'ubuntu-capi-image-v1.34.7', bad=False),
        _example(_VARIABLE, 'ubuntu-capi-image-v1.34.7', bad=False),
        _example(_VARIABLE, 'ubuntu-capi-v1.34.6', bad=False),
        _example('{{ .imageName }}', 'anything-v1.34.7', bad=False),
    ),
)
