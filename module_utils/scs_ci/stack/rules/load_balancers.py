"""Load balancer providers exist, and every choice that a variable offers is handled by a patch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ...core.records import Severity
from ..clusterclass import ClusterClass, Patch, Variable, cluster_classes
from ..defaults import chart_values
from ..model import Stack
from ..rule import CLASS_HEAD, Example, Hit, Rule, printed_class
from ..yamltext import Node, Scalar

# Drivers of Octavia that CAPO and the cloud controller manager can name, see their documentation.
PROVIDERS = ('amphora', 'ovn', 'octavia', 'f5', 'vmwareedge', 'a10')
PATH_END = '/apiServerLoadBalancer/provider'
# Choices that mean: no load balancer at all, so no patch need mention them.
NOTHING = ('none', '')
NAME = re.compile(r'load_?-?balancer$', re.I)
VALUES = 'cluster-addon/cni/values.yaml'


def check(stack: Stack) -> Iterable[Hit]:
    for found in cluster_classes(stack):
        yield from _patches(stack, found)
        for variable in found.variables:
            if NAME.search(variable.name):
                yield from _choices(stack, found, variable)
    for value in chart_values(stack):
        if re.sub(r'[-_]', '', value.name).lower() == 'lbprovider' and _unknown(value.text):
            yield Hit(value.file, value.line, _message(value.text), seen=value.text, wanted='amphora or ovn')


def _patches(stack: Stack, found: ClusterClass) -> Iterator[Hit]:
    for patch in found.patches:
        for operation in (o for d in patch.definitions for o in d.operations):
            value = operation.value
            if operation.path.endswith(PATH_END) and isinstance(value, Scalar) and _unknown(value.text):
                place = found.object.place(stack, value)
                yield Hit(place.file, place.line, _message(value.text), seen=value.text, wanted='amphora or ovn')


def _unknown(text: str) -> bool:
    return text not in PROVIDERS and '{{' not in text and text != 'x'


def _message(text: str) -> str:
    return f'Octavia has no load balancer provider {text!r}: use one that SCS clouds have'


def _choices(stack: Stack, found: ClusterClass, variable: Variable) -> Iterator[Hit]:
    """Where patches only compare with texts: the default and every value of an enumeration is one of these texts."""
    if variable.schema is None or variable.schema.value('type') != 'string':
        return
    used = re.compile(rf'\.{re.escape(variable.name)}\b')
    compared = re.compile(rf'\beq\s+\.{re.escape(variable.name)}\s+"([^"]*)"')
    uses = '\n'.join(text for patch in found.patches for text in _texts(patch) if used.search(text))
    handled = compared.findall(uses)
    if not handled or used.search(compared.sub('', uses)):
        return  # what else is made of the value cannot be told here; that nobody uses it is told by another rule
    default = variable.schema.get('default')
    for node in (*((default,) if default is not None else ()), *variable.schema.items('enum')):
        if node.text not in (*NOTHING, *handled):
            yield _unhandled(stack, found, variable, node, handled)


def _texts(patch: Patch) -> Iterator[str]:
    """Everything of a patch that can name a variable."""
    yield patch.enabled_if
    for operation in (o for definition in patch.definitions for o in definition.operations):
        yield operation.template
        yield f'.{operation.variable}'


def _unhandled(stack: Stack, found: ClusterClass, variable: Variable, node: Node, handled: list[str]) -> Hit:
    place = found.object.place(stack, node)
    message = f'{variable.name} may be {node.text!r}, and no patch asks for that: it has no effect; handle or remove it'
    return Hit(place.file, place.line, message, seen=node.text, wanted=', '.join(handled))


def _spec(default: str, condition: str, provider: str) -> str:
    enabled = f'{{{{ eq .apiServerLoadBalancer "{condition}" }}}}'
    return (
        '  variables:\n    - name: apiServerLoadBalancer\n'
        '      schema:\n        openAPIV3Schema:\n          type: string\n'
        f"          default: {default}\n  patches:\n    - name: ovn\n      enabledIf: '{enabled}'\n"
        '      definitions:\n        - selector: {kind: OpenStackClusterTemplate}\n          jsonPatches:\n'
        '            - op: add\n              path: /spec/template/spec/apiServerLoadBalancer/provider\n'
        f'              value: {provider}\n'
    )


def _example(default: str, condition: str, provider: str, *lines: int) -> Example:
    return printed_class(CLASS_HEAD + _spec(default, condition, provider), *lines)


RULE = Rule(
    id='load-balancers',
    severity=Severity.WARNING,
    title='load balancer providers exist, and every choice of a variable has an effect',
    motivation='A stack kept offering yawol after its patches were gone: clusters came up without any load balancer.',
    check=check,
    bad=(
        _example('octavia-ovn', 'octavia-ovn', 'ovm', 20),
        _example('yawol', 'octavia-ovn', 'ovn', 11),
        Example({VALUES: 'ccm:\n  lb-provider: haproxy\n'}, hits=((VALUES, 2),)),
    ),
    good=(
        _example('octavia-ovn', 'octavia-ovn', 'ovn'),
        _example('none', 'octavia-ovn', 'amphora'),
        Example({VALUES: 'ccm:\n  lb-provider: ovn\n'}),
    ),
)
