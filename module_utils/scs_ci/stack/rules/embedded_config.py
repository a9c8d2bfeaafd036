"""Configuration files of Kubernetes' programs that machines get have the fields that these programs know."""

from __future__ import annotations

from collections.abc import Iterable

from ...core.records import Severity
from ..answers import NO_VERSION, UNKNOWN_FIELD, Problem
from ..embedded import Embedded, configurations
from ..hits import at
from ..model import Stack
from ..paths import find
from ..rule import Example, Hit, Rule
from ..yamltext import Broken, parse

TEMPLATE = 'cluster-class/templates/class.yaml'


def check(stack: Stack) -> Iterable[Hit]:
    for embedded, problems in zip(configurations(stack), stack.answers.embedded, strict=False):
        for problem in problems:
            message = f'file {embedded.path} in {embedded.object.title}: {_text(problem)}'
            # The types are of one version of Kubernetes; what it lost may still be in that of the stack.
            severity = Severity.WARNING if problem.kind == NO_VERSION else None
            line = embedded.line(_line(embedded, problem.path))
            yield at(stack, embedded.object, line, message, seen=problem.path or None, severity=severity)


def _text(problem: Problem) -> str:
    if problem.kind == UNKNOWN_FIELD:
        return f'there is no field {problem.path}; the program that reads the file does not start, or ignores it'
    return problem.message


def _line(embedded: Embedded, path: str) -> int:
    try:
        roots = [document.root for document in parse(embedded.node.content) if document.root is not None]
    except Broken:
        return 1
    return find(roots[0], path).line if roots and path else 1


def _example(field: str, *problems: dict[str, str], hits: tuple[int, ...] = ()) -> Example:
    text = (
        'apiVersion: bootstrap.cluster.x-k8s.io/v1beta1\n'
        'kind: KubeadmConfigTemplate\n'
        'metadata:\n'
        '  name: x\n'
        'spec:\n'
        '  files:\n'
        '    - path: /etc/kube-proxy.yaml\n'
        '      content: |\n'
        '          apiVersion: kubeproxy.config.k8s.io/v1alpha1\n'
        '          kind: KubeProxyConfiguration\n'
        f'          {field}: "0.0.0.0:10249"\n'
    )
    rendered = {'cluster-class': '# Source: x/templates/class.yaml\n' + text}
    places = tuple((TEMPLATE, line) for line in hits)
    return Example({TEMPLATE: text}, rendered, answer={'embedded': [list(problems)]}, hits=places)


RULE = Rule(
    id='embedded-config',
    severity=Severity.ERROR,
    title='configuration files of Kubernetes have known fields',
    motivation='A misspelt field of a KubeletConfiguration has no effect, or the kubelet refuses to start.',
    check=check,
    bad=(
        _example(
            'metricsBindAdress',
            {'kind': 'unknown-field', 'path': 'metricsBindAdress', 'message': 'unknown field'},
            hits=(11,),
        ),
        _example('x', {'kind': 'no-version', 'path': 'apiVersion', 'message': 'no such version'}, hits=(9,)),
    ),
    good=(Example(), _example('metricsBindAddress')),
    asks=True,
)
