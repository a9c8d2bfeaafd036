"""Pods of addons refer to objects that are there: accounts, secrets, configuration."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ...core.records import Severity
from ..documents import documents
from ..hits import at, nearest
from ..model import Stack
from ..objects import Object, addon_objects
from ..rule import Example, Hit, Rule
from ..yamltext import Map, Node, walk

TEMPLATE = 'cluster-addon/cni/templates/a.yaml'
README = 'README.md'
ACCOUNT, PRIORITY = 'ServiceAccount', 'PriorityClass'
# What every cluster has.
GIVEN = {
    ACCOUNT: re.compile(r'default'),
    PRIORITY: re.compile(r'system-(?:cluster|node)-critical'),
    'ConfigMap': re.compile(r'kube-root-ca\.crt|kube-proxy|kubeadm-config|cluster-info|coredns|extension-.*'),
    'Secret': re.compile(r'(?!)'),
}


@dataclass(frozen=True)
class Reference:
    """An object that a pod needs before it starts."""

    kind: str
    node: Node

    @property
    def name(self) -> str:
        return self.node.text


def check(stack: Stack) -> Iterable[Hit]:
    if any(r.unavailable or r.error for r in stack.renderings):
        return  # what is not rendered may print it
    printed: dict[str, set[str]] = {}
    for found in addon_objects(stack):
        printed.setdefault(found.kind, set()).add(found.name)
    prose = '\n'.join(stack.text(file) for file in documents(stack))
    for found in addon_objects(stack):
        for pod in _pods(found):
            for reference in _references(pod):
                hit = _hit(stack, found, reference, printed.get(reference.kind, set()), prose)
                if hit is not None:
                    yield hit


def _pods(found: Object) -> Iterator[Map]:
    """Specifications of pods: what has containers."""
    for node in walk(found.root.get('spec')):
        if isinstance(node, Map) and node.items('containers'):
            yield node


def _references(pod: Map) -> Iterator[Reference]:
    for kind, key in ((ACCOUNT, 'serviceAccountName'), (PRIORITY, 'priorityClassName')):
        node = pod.get(key)
        if node is not None and node.text:
            yield Reference(kind, node)
    for node in walk(pod):
        for kind, keys, name in (
            ('Secret', ('secret',), 'secretName'),
            ('ConfigMap', ('configMap',), 'name'),
            ('Secret', ('secretKeyRef',), 'name'),
            ('Secret', ('secretRef',), 'name'),
            ('ConfigMap', ('configMapKeyRef',), 'name'),
            ('ConfigMap', ('configMapRef',), 'name'),
        ):
            source = node.get(*keys)
            named = source.get(name) if source is not None else None
            if named is not None and named.text and source is not None and source.value('optional') != 'true':
                yield Reference(kind, named)


def _hit(stack: Stack, found: Object, reference: Reference, there: set[str], prose: str) -> Hit | None:
    name = reference.name
    if name in there or GIVEN[reference.kind].fullmatch(name):
        return None
    message = f'{found.title} needs {reference.kind} {name}, which no addon makes'
    if reference.kind in (ACCOUNT, PRIORITY):
        message += f': its pods are never made{nearest(name, there)}'
        return at(stack, found, reference.node.line, message, seen=name, wanted=', '.join(sorted(there)) or None)
    if re.search(rf'(?<![\w-]){re.escape(name)}(?![\w-])', prose):
        return None  # whoever makes the cluster brings it
    near = difflib.get_close_matches(name, there, n=1, cutoff=0.7)
    if not near and not re.search(r'\bsecrets?\b', prose, re.I):
        return None  # no document says what clusters bring
    message += f': its pods do not start; did you mean {near[0]}?' if near else ', nor says a document who does'
    return at(
        stack,
        found,
        reference.node.line,
        message,
        seen=name,
        wanted=near[0] if near else None,
        severity=Severity.WARNING,
    )


def _example(account: str, secret: str, *lines: int, readme: str | None = None) -> Example:
    text = (
        'apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: ccm}\n---\n'
        'apiVersion: v1\nkind: Secret\nmetadata: {name: ccm-cloud-config}\n---\n'
        'apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: ccm}\nspec:\n  template:\n    spec:\n'
        f'      serviceAccountName: {account}\n      containers: [{{name: a}}]\n      volumes:\n'
        f'        - name: a\n          secret: {{secretName: {secret}}}\n'
        '        - name: b\n          secret: {secretName: absent, optional: true}\n'
    )
    rendered = {'cluster-addon/cni': '---\n# Source: cni/templates/a.yaml\n' + text}
    return Example({TEMPLATE: text, README: readme}, rendered, hits=tuple((TEMPLATE, line) for line in lines))


RULE = Rule(
    id='addon-references',
    severity=Severity.ERROR,
    title='pods of addons refer to objects that are there',
    motivation=(
        'A pod that mounts a Secret under another name than the one that is made stays in ContainerCreating, one with '
        'an account that is not there is not even made: the deployment is applied and nothing runs.'
    ),
    check=check,
    bad=(
        _example('cmm', 'ccm-cloud-config', 15),
        _example('ccm', 'ccm-cloudconfig', 19),
        _example('ccm', 'clouds', 19, readme='Make the secret clouds-yaml.\n'),
    ),
    good=(
        Example(),
        _example('ccm', 'ccm-cloud-config'),
        _example('default', 'clouds-yaml', readme='Make the secret `clouds-yaml`.\n'),
    ),
)
