"""Security groups let through what the network of the pods sends from node to node."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ...core.records import Severity
from ..hits import at
from ..model import Stack
from ..objects import Object, addon_objects, class_objects
from ..rule import Example, Hit, Rule
from ..yamltext import Map, Node

TEMPLATE = 'cluster-class/templates/class.yaml'
ADDON = 'cluster-addon/cni/templates/a.yaml'
# The settings of Cilium in its ConfigMap, see its documentation of ports.
SETTINGS = 'cilium-config'
TUNNELS = {'vxlan': '8472', 'geneve': '6081'}
HEALTH = '4240'


@dataclass(frozen=True)
class Port:
    """What goes from every node to every other."""

    protocol: str
    number: str
    why: str


def check(stack: Stack) -> Iterable[Hit]:
    needed = [port for found in addon_objects(stack) for port in _needed(found)]
    for found in class_objects(stack):
        if found.kind == 'OpenStackClusterTemplate':
            yield from _group(stack, found, needed)


def _needed(found: Object) -> Iterator[Port]:
    if found.kind != 'ConfigMap' or found.name != SETTINGS:
        return
    settings = found.root.get('data')
    if settings is None:
        return
    tunnel = settings.value('tunnel-protocol') or 'vxlan'
    if settings.value('routing-mode') == 'tunnel' and tunnel in TUNNELS:
        number = settings.value('tunnel-port')
        number = number if number.isdecimal() and number != '0' else TUNNELS[tunnel]
        yield Port('udp', number, f'Cilium sends what pods say to each other as {tunnel}')
    if (
        settings.value('enable-endpoint-health-checking') == 'true'
        or settings.value('enable-health-checking') == 'true'
    ):
        yield Port('tcp', HEALTH, 'Cilium looks by it whether nodes reach each other')


def _group(stack: Stack, found: Object, needed: list[Port]) -> Iterator[Hit]:
    groups = found.root.get('spec', 'template', 'spec', 'managedSecurityGroups')
    if not isinstance(groups, Map) or groups.value('allowAllInClusterTraffic') == 'true':
        return
    rules = groups.items('allNodesSecurityGroupRules')
    for port in needed:
        if not any(_allows(rule, port) for rule in rules):
            message = (
                f'no rule of managedSecurityGroups lets {port.protocol} {port.number} from node to node: {port.why}; '
                'add it to allNodesSecurityGroupRules'
            )
            yield at(stack, found, groups.line, message, wanted=f'{port.protocol} {port.number}')


def _allows(rule: Node, port: Port) -> bool:
    """Whether a rule lets it in; one without protocol or ports lets in all of them."""
    protocol, low, high = rule.value('protocol'), rule.value('portRangeMin'), rule.value('portRangeMax')
    if rule.value('direction') == 'egress' or protocol not in ('', port.protocol):
        return False
    if not low.isdecimal() or not high.isdecimal():
        return True
    return int(low) <= int(port.number) <= int(high)


def _example(rules: str, settings: str, *lines: int) -> Example:
    text = (
        'apiVersion: infrastructure.cluster.x-k8s.io/v1beta1\nkind: OpenStackClusterTemplate\nmetadata: {name: a}\n'
        f'spec:\n  template:\n    spec:\n      managedSecurityGroups:\n        {rules}\n'
    )
    addon = f'apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: cilium-config}}\ndata: {settings}\n'
    rendered = {
        'cluster-class': '---\n# Source: x/templates/class.yaml\n' + text,
        'cluster-addon/cni': '---\n# Source: cni/templates/a.yaml\n' + addon,
    }
    return Example({TEMPLATE: text, ADDON: addon}, rendered, hits=tuple((TEMPLATE, line) for line in lines))


_VXLAN = 'allNodesSecurityGroupRules: [{direction: ingress, protocol: udp, portRangeMin: 8472, portRangeMax: 8472}]'
_TUNNEL = '{routing-mode: tunnel, tunnel-protocol: vxlan}'

RULE = Rule(
    id='cni-ports',
    severity=Severity.WARNING,
    title='security groups let the network of the pods through',
    motivation=(
        'Managed security groups open the ports of Kubernetes and no others: without a rule for its tunnel Cilium runs '
        'on every node, and pods reach only those of their own.'
    ),
    check=check,
    bad=(
        _example('{}', _TUNNEL, 8),
        _example(_VXLAN, '{routing-mode: tunnel, tunnel-protocol: geneve}', 8),
        _example(_VXLAN, '{routing-mode: tunnel, tunnel-port: "8473"}', 8),
    ),
    good=(
        Example(),
        _example(_VXLAN, _TUNNEL),
        _example('allowAllInClusterTraffic: true', _TUNNEL),
        _example('{}', '{routing-mode: native}'),
    ),
)
