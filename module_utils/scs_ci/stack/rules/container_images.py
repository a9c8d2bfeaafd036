"""Container images of addons have a version."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ...core.records import Severity
from ..hits import at
from ..model import Stack
from ..objects import addon_objects
from ..rule import Example, Hit, Rule
from ..yamltext import walk

TEMPLATE = 'cluster-addon/cni/templates/a.yaml'
MOVING = re.compile(r'latest|main|master|edge|nightly|dev(?:el(?:op)?)?|stable|canary', re.I)


def check(stack: Stack) -> Iterable[Hit]:
    for found in addon_objects(stack):
        for node in walk(found.root.get('spec')):
            for container in (*node.items('containers'), *node.items('initContainers')):
                image = container.get('image')
                if image is None or not image.text or '@' in image.text:
                    continue
                tag = image.text.rpartition('/')[2].partition(':')[2]
                if not tag or MOVING.fullmatch(tag):
                    message = (
                        f'{found.title} runs {image.text}, which is another image from day to day: name a version, '
                        'else machines that come later run something else'
                    )
                    yield at(stack, found, image.line, message, seen=image.text)


def _example(image: str, *lines: int) -> Example:
    text = (
        'apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: a}\nspec:\n  template:\n    spec:\n'
        f'      containers:\n        - image: {image}\n'
    )
    rendered = {'cluster-addon/cni': '---\n# Source: cni/templates/a.yaml\n' + text}
    return Example({TEMPLATE: text}, rendered, hits=tuple((TEMPLATE, line) for line in lines))


RULE = Rule(
    id='container-images',
    severity=Severity.WARNING,
    title='container images of addons have a version',
    motivation='A release that runs "latest" is another release every day, and its tests say nothing about tomorrow.',
    check=check,
    bad=(
        _example('registry.example:5000/cni', 8),
        _example('registry.example/cni:latest', 8),
    ),
    good=(
        Example(),
        _example('registry.example:5000/cni:v1.2.3'),
        _example(f'registry.example/cni@sha256:{"0" * 64}'),
    ),
)
