"""Values that a stack gives to a chart name something that the chart has."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from ...core.records import Severity
from ..given import Given, given_values, keys
from ..model import Chart, Stack
from ..rule import Example, Hit, Rule
from ..subcharts import Subchart, subcharts
from ..yamltext import Map, Node

# What helm itself knows at the top.
ALWAYS = frozenset({'global', 'tags'})
# Mappings whose keys are the user's: whatever stands there by default is only the default.
FREE = re.compile(
    r'(?:labels|annotations|selector|limits|requests|resources|affinity|env|config|data|securityContext|options)$', re.I
)
# All values at once go somewhere else, where any of them may be read; with a text behind it is one of them.
WHOLE = re.compile(r'\.Values(?![.\w]|\s+["`])')
TOP = re.compile(r'\.Values\.([\w-]+)|["`]([\w-]+)["`]|^(?:# ?)?([\w-]+):', re.M)
WORD = re.compile(r'[A-Za-z_][\w-]*')
VALUES = 'cluster-addon/cni/values.yaml'


@dataclass(frozen=True)
class Known:
    """A chart and everything in which it names values, looked at when a key is not among its defaults."""

    sub: Subchart

    @cached_property
    def text(self) -> str:
        files = (data for name, data in self.sub.archive.files.items() if _speaks(name))
        return b'\n'.join(files).decode('utf-8', 'replace')

    @cached_property
    def words(self) -> frozenset[str]:
        return frozenset(WORD.findall(self.text))

    @cached_property
    def at_top(self) -> frozenset[str] | None:
        """What stands where names of values at the top stand; None where all values go somewhere."""
        if WHOLE.search(self.text):
            return None
        return frozenset(name for match in TOP.finditer(self.text) for name in match.groups() if name)


def check(stack: Stack) -> Iterable[Hit]:
    for chart in stack.addon_charts:
        here = {sub.key: Known(sub) for sub in subcharts(stack, chart)}
        for given in given_values(stack, chart):
            yield from _top(stack, chart, given)
            for name, node in keys(given.root):
                if name.content in here:
                    yield from _below(given, here[name.content], node)


def _top(stack: Stack, chart: Chart, given: Given) -> Iterator[Hit]:
    """Keys at the top belong to a dependency or to a template of the chart itself."""
    known = {d.alias or d.name for d in chart.dependencies} | ALWAYS
    known |= {d.condition.split('.')[0] for d in chart.dependencies if d.condition}
    own = '\n'.join(stack.text(p) for p in stack.files if p.startswith(f'{chart.path}/templates/'))
    aliased = {d.name: d.alias for d in chart.dependencies if d.alias and d.alias != d.name}
    for name, _ in keys(given.root):
        if name.content in known or re.search(rf'\b{re.escape(name.content)}\b', own):
            continue
        wanted = aliased.get(name.content) or _near(name.content, known - ALWAYS)
        message = f'{name.content!r} is neither a dependency of {chart.meta.path} nor read by a template: '
        message += (
            f'helm ignores what stands below; rename it to {wanted!r}' if wanted else 'helm ignores it; remove it'
        )
        severity = Severity.ERROR if name.content in aliased else Severity.WARNING
        yield Hit(given.file, name.line + given.offset, message, name.content, wanted, severity=severity)


def _below(given: Given, known: Known, node: Node) -> Iterator[Hit]:
    root = known.sub.values.root
    if isinstance(root, Map):
        yield from _unknown(given, known, node, root, (known.sub.key,))


def _unknown(given: Given, known: Known, node: Node, default: Map, path: tuple[str, ...]) -> Iterator[Hit]:
    names = {name.content for name, _ in default.entries}
    for name, value in keys(node):
        if name.content in names:
            below = default.get(name.content)
            if isinstance(below, Map) and below.entries and not FREE.search(name.content):
                yield from _unknown(given, known, value, below, (*path, name.content))
        elif not _read(known, name.content, len(path) == 1):
            wanted = _near(name.content, names)
            archive = known.sub.archive
            message = f'{".".join((*path, name.content))} is nothing that chart {archive.name} '
            message += f'{archive.version} reads: correct the name or remove it'
            yield Hit(given.file, name.line + given.offset, message, seen=name.content, wanted=wanted)


def _read(known: Known, key: str, top: bool) -> bool:
    """Whether anything in the chart says that it knows the key: a dependency, a template, a schema or a comment.

    Further down templates may come to a key in many ways, so there the word is enough.
    """
    sub = known.sub
    dependencies = {e.value(field) for e in _dependencies(sub) for field in ('name', 'alias')} | ALWAYS
    if top and (key in dependencies or f'{sub.key}.{key}' in sub.dependency.condition.split(',')):
        return True
    # a template may read the key at the top of the values, or a comment there offers it
    return key in known.words and (not top or known.at_top is None or key in known.at_top)


def _dependencies(sub: Subchart) -> tuple[Node, ...]:
    return sub.meta.root.items('dependencies') if sub.meta.root is not None else ()


def _speaks(name: str) -> bool:
    return name.startswith('templates/') or '/templates/' in name or name in ('values.yaml', 'values.schema.json')


def _near(name: str, names: Iterable[str]) -> str | None:
    found = difflib.get_close_matches(name, list(names), n=1, cutoff=0.6)
    return found[0] if found else None


def _chart(alias: str = '') -> str:
    return (
        'apiVersion: v2\nname: cni\nversion: v1\ndependencies:\n  - name: cilium\n    version: 1.18.9\n'
        + (f'    alias: {alias}\n' if alias else '')
        + '    repository: https://helm.example/\n'
    )


_PACKED = {
    'cluster-addon/cni/charts/cilium-1.18.9.tgz': {
        'cilium/Chart.yaml': 'name: cilium\nversion: 1.18.9\n',
        'cilium/values.yaml': 'ipam:\n  mode: cluster-pool\n  operator: {}\nnodeSelector: {os: linux}\n# mtu: 1500\n',
        'cilium/templates/a.yaml': 'x: {{ .Values.ipam.mode }}\n',
    }
}


def _example(
    values: str, alias: str = '', hits: tuple[tuple[str, int], ...] = (), files: Mapping[str, str] | None = None
) -> Example:
    all_files = {'cluster-addon/cni/Chart.yaml': _chart(alias), VALUES: values, **(files or {})}
    return Example(all_files, packed=_PACKED, hits=hits)


RULE = Rule(
    id='values-keys',
    severity=Severity.WARNING,
    title='values name keys that the chart has',
    motivation='helm ignores values that no chart reads: a misspelt key or alias leaves the default in force.',
    check=check,
    bad=(
        _example('cilium:\n  ipan:\n    mode: kubernetes\n', hits=((VALUES, 2),)),
        _example('cilium:\n  ipam:\n    mod: kubernetes\n', hits=((VALUES, 3),)),
        _example('cilium:\n  operator: {}\n', hits=((VALUES, 2),)),
        _example('cillium:\n  ipam: {}\n', hits=((VALUES, 1),)),
        _example('cilium:\n  ipam: {}\n', alias='cni', hits=((VALUES, 1),)),
        _example(
            '',
            hits=(('cluster-addon/cni/overwrite.yaml', 3),),
            files={
                'cluster-addon/cni/overwrite.yaml': 'values: |\n  cilium:\n    ipan: {{ .Cluster.metadata.name }}\n'
            },
        ),
    ),
    good=(
        _example('cilium:\n  ipam:\n    mode: kubernetes\n    operator: {any: thing}\n  mtu: 9000\nglobal: {}\n'),
        _example('cilium:\n  nodeSelector:\n    zone: a\n'),
        _example('cni:\n  ipam:\n    mode: kubernetes\n', alias='cni'),
        _example(
            'cilium:\n  enabled: false\n',
            files={'cluster-addon/cni/Chart.yaml': f'{_chart()}    condition: cilium.enabled\n'},
        ),
        _example('own: 1\n', files={'cluster-addon/cni/templates/own.yaml': 'x: {{ .Values.own }}\n'}),
    ),
)
