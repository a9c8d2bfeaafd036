"""No default names something that only one particular cloud has."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from ...core.records import Severity
from ..defaults import Default, defaults
from ..model import Stack
from ..rule import CLASS_HEAD, Example, Hit, Rule, printed_class

UUID = re.compile(r'(?<![0-9a-f-])[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?![0-9a-f-])', re.I)
ADDRESS = re.compile(r'(?<![\d.])(\d{1,3}(?:\.\d{1,3}){3})(/\d{1,2})?(?![\d.])')
# Resolvers that anybody may ask from anywhere.
PUBLIC_RESOLVERS = (
    *('9.9.9.9', '9.9.9.10', '149.112.112.112', '1.1.1.1', '1.0.0.1', '8.8.8.8', '8.8.4.4', '208.67.222.222'),
    *('208.67.220.220', '5.1.66.255', '185.150.99.255', '193.110.81.0', '185.253.5.0', '86.54.11.1', '86.54.11.100'),
)
# Names of values, without separators and in lower case, that mean things of a cloud.
THINGS = {
    'region': re.compile(r'(?:os)?region(?:name)?'),
    'availability zone': re.compile(r'\w*(?:availabilityzones?|failuredomains?)'),
    'network': re.compile(r'\w*(?:externalnetwork|externalid|floatingnetwork|networkid|subnetid|routerid)\w*'),
    'project': re.compile(r'(?:os)?(?:project|tenant)(?:id|name)?'),
    'domain of users': re.compile(r'(?:os)?(?:user|project|tenant)?domain(?:id|name)'),
    'key pair': re.compile(r'(?:ssh)?key(?:pair)?name|sshkey'),
    'identity service': re.compile(r'(?:os)?auth(?:entication)?url|identityendpoint|keystoneurl'),
}
# What stands in templates only to be replaced, and what every OpenStack has.
NEUTRAL = frozenset(
    {'', 'x', 'none', 'null', '~', 'openstack', 'default', 'overridden-by-patch', 'set-by-patch', 'nova'}
)


def check(stack: Stack) -> Iterable[Hit]:
    for default in defaults(stack):
        yield from _identifier(default)
        yield from _address(default)
        yield from _thing(default)


def _identifier(default: Default) -> Iterator[Hit]:
    match = UUID.search(default.text)
    if match and default.name != 'uid':
        message = f'{default.name} is the id of a resource, which only one cloud has: leave it unset'
        yield Hit(default.file, default.line, message, seen=match[0])


def _address(default: Default) -> Iterator[Hit]:
    for match in ADDRESS.finditer(default.text):
        if _particular(match[1], match[2] or ''):
            message = (
                f'{default.name} has the address {match[0]} as its default, which is one of a particular network: '
            )
            message += 'leave it unset, or take one that is reachable from everywhere'
            yield Hit(default.file, default.line, message, seen=match[0], severity=Severity.WARNING)


def _particular(text: str, prefix: str) -> bool:
    """Whether an address means a host of one network; networks of private addresses are made per cluster."""
    if text in PUBLIC_RESOLVERS:
        return False
    try:
        address = ipaddress.IPv4Address(text)
        network = ipaddress.IPv4Network(text + prefix, strict=False) if prefix else None
    except ValueError:
        return False
    if address.is_unspecified or address.is_loopback or address.is_link_local or address.is_multicast:
        return False
    if network is not None and network.prefixlen < network.max_prefixlen:
        return address.is_global and network.prefixlen > 0
    return True


def _thing(default: Default) -> Iterator[Hit]:
    text = default.text.strip()
    name = re.sub(r'[-_.]', '', default.name).lower()
    for what, pattern in THINGS.items():
        if pattern.fullmatch(name) and text.lower() not in NEUTRAL and not UUID.search(text) and '{{' not in text:
            shown = urlsplit(text).netloc if '://' in text else text
            message = f'{default.name} names a {what} ({shown}) that other clouds do not have: leave it unset'
            yield Hit(default.file, default.line, message, seen=text, severity=_how_sure(what))


def _how_sure(what: str) -> Severity | None:
    return None if what == 'identity service' else Severity.WARNING


def _example(name: str, default: str, *lines: int) -> Example:
    spec = (
        f'  variables:\n    - name: {name}\n      schema:\n        openAPIV3Schema:\n'
        '          example: ebfe5546-f09f-4f42-ab54-094e457d42ec\n'
        f'          default: {default}\n'
    )
    return printed_class(CLASS_HEAD + spec, *lines)


def _template(field: str, value: str, *lines: int) -> Example:
    text = (
        'apiVersion: infrastructure.cluster.x-k8s.io/v1beta1\nkind: OpenStackClusterTemplate\nmetadata:\n  name: x\n'
        f'spec:\n  template:\n    spec:\n      {field}: {value}\n'
    )
    return printed_class(text, *lines)


_VALUES = 'cluster-class/values.yaml'

RULE = Rule(
    id='cloud-defaults',
    severity=Severity.ERROR,
    title='no default is of one particular cloud',
    motivation='A default that its author found on his own cloud makes every cluster elsewhere fail.',
    check=check,
    bad=(
        _example('external_id', 'ebfe5546-f09f-4f42-ab54-094e457d42ec', 11),
        _example('dnsNameservers', '["10.1.2.3"]', 11),
        _example('controlPlaneAvailabilityZones', '["az-west-1"]', 11),
        Example({_VALUES: 'cloud:\n  region: RegionOne\n'}, hits=((_VALUES, 2),)),
        Example({_VALUES: 'auth_url: https://api.cloud.example:5000/v3\n'}, hits=((_VALUES, 1),)),
        _template('externalNetwork', '{id: ebfe5546-f09f-4f42-ab54-094e457d42ec}', 8),
        Example({_VALUES: 'restrict: [203.0.114.0/24]\n'}, hits=((_VALUES, 1),)),
    ),
    good=(
        _example('external_id', '""'),
        _example('dnsNameservers', '["9.9.9.9"]'),
        _example('nodeCIDR', '"10.8.0.0/20"'),
        _template('managedSubnets', '[{cidr: 10.8.0.0/20}]'),
        Example({_VALUES: 'region: ""\nidentityRef:\n  cloudName: openstack\nbind: 0.0.0.0\n'}),
    ),
)
