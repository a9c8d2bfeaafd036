"""What a rule is: a pure function over the model of a stack, with its reason and a pair of examples.

A rule is one file in `rules/` that defines RULE; nothing else has to be touched to add one. Rules read the Stack they
are given and nothing else: no file, no program, no network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..core.records import Severity
from .answers import parse_answer
from .archive import pack
from .helm import split
from .model import LAYOUT_A, Facts, Rendered, Rendering, Stack, build_model

# How the message of a rule that crashed begins: such a finding cannot be excepted.
CRASHED = 'the rule crashed: '


@dataclass(frozen=True)
class Hit:
    """A defect that a rule found. file: relative to the stack directory; severity: None means that of the rule."""

    file: str
    line: int
    message: str
    seen: str | None = None
    wanted: str | None = None
    fix: str | None = None
    column: int | None = None
    severity: Severity | None = None
    end_line: int | None = None


@dataclass(frozen=True)
class Example:
    """A change to BASE. files: path -> text, None deletes; rendered: chart directory -> what helm printed;

    failed: chart directory -> error of helm; hits: the places where the rule must strike, (file, line) each.
    packed: path of an archive -> the files in it, e.g. 'cilium/values.yaml'. variants: (point of the matrix, chart
    directory) -> what helm printed there, or its error in variants_failed. facts: the world outside. before: the
    release to compare with, as another change to BASE. unreadable: why there are no files at all. unavailable: chart
    directory -> why helm had no chance.
    granted: chart directory -> what helm printed where the cluster has every API.
    answer: what classcheck said (see answers.py); scripts: what bash said.
    """

    files: Mapping[str, str | None] = field(default_factory=dict)
    rendered: Mapping[str, str] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    hits: tuple[tuple[str, int], ...] = ()
    layout: str = LAYOUT_A
    packed: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    variants: Mapping[tuple[str, str], str] = field(default_factory=dict)
    variants_failed: Mapping[tuple[str, str], str] = field(default_factory=dict)
    granted: Mapping[str, str] = field(default_factory=dict)
    facts: Facts = field(default_factory=Facts)
    before: Example | None = None
    unreadable: str = ''
    unavailable: Mapping[str, str] = field(default_factory=dict)
    answer: Mapping[str, Any] = field(default_factory=dict)
    scripts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rule:
    """id: as printed; severity: how sure and how bad; motivation: what happened in the past or would happen.

    asks: the rule reads the answers of the stack, for which it may have to wait: such rules come last.
    """

    id: str
    severity: Severity
    title: str
    motivation: str
    check: Callable[[Stack], Iterable[Hit]]
    bad: tuple[Example, ...]
    good: tuple[Example, ...] = (Example(),)
    asks: bool = False


# Where BASE has its class; the head of a class that has more: its spec begins in line 6.
CLASS_TEMPLATE = 'cluster-class/templates/class.yaml'
CLASS_HEAD = 'apiVersion: cluster.x-k8s.io/v1beta1\nkind: ClusterClass\nmetadata:\n  name: x\nspec:\n'
# The smallest stack without a defect; examples change it.
BASE: Mapping[str, str] = {
    'csctl.yaml': (
        'apiVersion: csctl.clusterstack.x-k8s.io/v1alpha1\n'
        'config:\n'
        '  clusterStackName: demo\n'
        '  kubernetesVersion: v1.34.7\n'
        '  provider:\n'
        '    apiVersion: openstack.csctl.clusterstack.x-k8s.io/v1alpha1\n'
        '    type: openstack\n'
    ),
    'clusteraddon.yaml': (
        'apiVersion: clusteraddonconfig.x-k8s.io/v1alpha1\n'
        'clusterAddonVersion: clusteraddons.clusterstack.x-k8s.io/v1alpha1\n'
        'addonStages:\n'
        '  AfterControlPlaneInitialized:\n'
        '    - name: cni\n'
        '      action: apply\n'
    ),
    'cluster-class/Chart.yaml': (
        'apiVersion: v2\nname: openstack-demo-1-34-cluster-class\ntype: application\nversion: v1\n'
    ),
    CLASS_TEMPLATE: (
        'apiVersion: cluster.x-k8s.io/v1beta1\nkind: ClusterClass\n'
        'metadata:\n  name: {{ .Release.Name }}-{{ .Chart.Version }}\n'
    ),
    'cluster-addon/cni/Chart.yaml': 'apiVersion: v2\nname: cni\ntype: application\nversion: v1\n',
}


def printed_class(
    text: str,
    *lines: int,
    files: Mapping[str, str | None] | None = None,
    answer: Mapping[str, Any] | None = None,
) -> Example:
    """An example whose class chart prints this text just as its template has it.

    lines: where the rule must strike; files: further changes to BASE; answer: what classcheck said.
    """
    source = '---\n# Source: openstack-demo-1-34-cluster-class/templates/class.yaml\n'
    return Example(
        {CLASS_TEMPLATE: text, **(files or {})},
        {'cluster-class': source + text},
        hits=tuple((CLASS_TEMPLATE, line) for line in lines),
        answer=answer or {},
    )


def example_stack(example: Example) -> Stack:
    """The model of an example, as the check would see it."""
    files: dict[str, str | None] = {**BASE, **example.files}
    content = {path: text.encode() for path, text in files.items() if text is not None}
    content |= {path: pack({n: t.encode() for n, t in inner.items()}) for path, inner in example.packed.items()}
    renderings = [Rendering(chart, _parts(text)) for chart, text in example.rendered.items()]
    renderings += [
        Rendering(chart, error=text, file=f'{chart}/templates/class.yaml', line=1)
        for chart, text in example.failed.items()
    ]
    renderings += [
        Rendering(chart, unavailable=why, file=f'{chart}/Chart.yaml', line=6)
        for chart, why in example.unavailable.items()
    ]
    answers = parse_answer(example.answer, example.scripts)
    stack = build_model('providers/openstack/demo', example.layout, dict(sorted(content.items())), tuple(renderings))
    return replace(
        stack,
        variants=tuple(_variants(example)),
        granted=tuple(Rendering(chart, _parts(text)) for chart, text in example.granted.items()),
        facts=example.facts,
        before=example_stack(example.before) if example.before else None,
        unreadable=example.unreadable,
        asked=lambda: answers,
    )


def _variants(example: Example) -> Iterable[Rendering]:
    for (point, chart), text in example.variants.items():
        yield Rendering(chart, _parts(text), point=point)
    for (point, chart), error in example.variants_failed.items():
        yield Rendering(chart, error=error, file=f'{chart}/templates/class.yaml', line=1, point=point)


def _parts(text: str) -> tuple[Rendered, ...]:
    return tuple(Rendered(part.template.partition('/')[2], part.text) for part in split(text))
