"""What differs between two releases for those who use them: versions, objects, values, images.

Every release names the objects of its class after itself, and some charts make certificates whenever they are
rendered; neither is a difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .content import Content
from .leaves import Change, compared, leaves
from .model import ADDON_CONFIG, Chart, Stack, yaml_file
from .objects import objects
from .release import NODE_IMAGES
from .treehash import ADDON_VALUES
from .yamltext import List, Map, Node

# What stands for the name of a release's class, and for what all releases of a stack and minor begin with.
CLASS, BASE = '<class>', '<base>'


@dataclass(frozen=True)
class Side:
    """A release, its stack, and two renderings of that: what differs between these is made up at each rendering."""

    release: Content
    stack: Stack
    again: Stack


@dataclass(frozen=True)
class Difference:
    """incomplete: what could not be compared, and why."""

    versions: tuple[Change, ...]
    objects: tuple[Change, ...]
    values: tuple[Change, ...]
    images: tuple[Change, ...]
    incomplete: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        return not (self.versions or self.objects or self.values or self.images)


def difference(before: Side, after: Side) -> Difference:
    """What changes for somebody who goes from one release to the other."""
    return Difference(
        versions=tuple(compared('', _versions(before), _versions(after))),
        objects=tuple(_objects(before, after)),
        values=tuple(_values(before.stack, after.stack)),
        images=tuple(_images(before.stack, after.stack)),
        incomplete=(*_incomplete(before), *_incomplete(after)),
    )


def _versions(side: Side) -> dict[str, str]:
    """Versions of the release, of the charts that it brings, and its stages."""
    versions = side.release.versions
    found = {
        'kubernetes': str(side.release.kubernetes),
        'clusterStack': versions.stack.dotted,
        'clusterAddon': versions.addon.dotted,
        'nodeImage': versions.node_image.dotted,
    }
    for chart in side.stack.addon_charts:
        found |= {f'chart {chart.directory}/{d.alias or d.name}': d.version for d in chart.dependencies}
    for place, stage in enumerate(side.stack.stages):
        key = f'stage {stage.hook}/{stage.name}'
        found[key] = f'{stage.action}, number {1 + sum(s.hook == stage.hook for s in side.stack.stages[:place])}'
    return found


def _objects(before: Side, after: Side) -> Iterator[Change]:
    old, new = _printed(before), _printed(after)
    for subject in sorted({*old, *new}):
        if subject not in new:
            yield Change('removed', subject)
        elif subject not in old:
            yield Change('added', subject)
        else:
            yield from compared(subject, old[subject], new[subject])


def _printed(side: Side) -> dict[str, Mapping[str, str]]:
    """Title of each object -> its values, without those that come out differently at each rendering."""
    once, again = _flat(side.release, side.stack), _flat(side.release, side.again)
    return {
        title: {place: text for place, text in flat.items() if again.get(title, {}).get(place) == text}
        for title, flat in once.items()
    }


def _flat(release: Content, stack: Stack) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for one in objects(stack):
        space = f'{one.namespace}/' if one.namespace else ''
        title = _neutral(f'{one.kind} {space}{one.name}', release, stack)
        # the same object of two charts: rare, and a defect, but not to be lost
        while title in found:
            title += ' again'
        found[title] = {place: _neutral(text, release, stack) for place, text in leaves(one.root)}
    return found


def _neutral(text: str, release: Content, stack: Stack) -> str:
    identity = stack.identity
    if identity is None:
        return text
    return text.replace(identity.class_name(release.versions.stack), CLASS).replace(identity.base, BASE)


def _values(before: Stack, after: Stack) -> Iterator[Change]:
    old, new = _charts(before), _charts(after)
    for name in sorted({*old, *new}):
        yield from compared(f'{name}/values.yaml', _defaults(old.get(name)), _defaults(new.get(name)))
    for stack_file in sorted(path for path in {*before.files, *after.files} if path.endswith('/overwrite.yaml')):
        yield from compared(stack_file, _whole(before, stack_file), _whole(after, stack_file))
    for name in (ADDON_VALUES, NODE_IMAGES):
        yield from compared(name, _whole(before, name), _whole(after, name))
    yield from compared(ADDON_CONFIG, _conditions(before), _conditions(after))


def _charts(stack: Stack) -> dict[str, Chart]:
    return {chart.path: chart for chart in stack.charts}


def _defaults(chart: Chart | None) -> dict[str, str]:
    return dict(leaves(chart.values.root)) if chart and chart.values else {}


def _whole(stack: Stack, path: str) -> dict[str, str]:
    """Templates of values are compared as texts."""
    return {'': stack.text(path)} if path in stack.files else {}


def _conditions(stack: Stack) -> dict[str, str]:
    """What stages wait for; the stages themselves are among the versions."""
    file = yaml_file(ADDON_CONFIG, stack.files.get(ADDON_CONFIG, b''))
    return {place: text for place, text in leaves(file.root) if 'waitFor' in place}


def _images(before: Stack, after: Stack) -> list[Change]:
    """Container images that workloads name, and addresses of node images; another tag is a change."""
    old, new = _named_images(before), _named_images(after)
    gone, come = by_name(old - new), by_name(new - old)
    return compared('', gone, come)


def _named_images(stack: Stack) -> set[str]:
    found: set[str] = set()
    for one in objects(stack):
        found.update(text for text in _below(one.root) if text)
        if one.kind == 'Image':
            found.update(filter(None, [one.root.value('spec', 'resource', 'content', 'download', 'url')]))
    return found


def _below(node: Node) -> Iterator[str]:
    if isinstance(node, List):
        for child in node.nodes:
            yield from _below(child)
    if isinstance(node, Map):
        for name, child in node.entries:
            if name.content == 'image' and child.text:
                yield child.text
            yield from _below(child)


def by_name(images: set[str]) -> dict[str, str]:
    """Name without tag and digest -> the whole; several of one name are told by their whole."""
    named: dict[str, list[str]] = {}
    for image in sorted(images):
        head, _, last = image.partition('@')[0].rpartition('/')
        name = last.partition(':')[0]
        named.setdefault(f'{head}/{name}' if head else name, []).append(image)
    return {name: ', '.join(found) for name, found in named.items()}


def _incomplete(side: Side) -> Iterator[str]:
    for rendering in side.stack.renderings:
        if rendering.unavailable or rendering.error:
            yield f'{side.release.title}: {rendering.chart} is not rendered: {rendering.unavailable or rendering.error}'
