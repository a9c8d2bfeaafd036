"""nftables rule sets, pure: security groups and anti-spoofing of one network, address translation of one router.

Connection tracking does not work in the bridge family on every kernel, so the stateful part is an ip table of the
network's own
namespace, reached through bridge-nf-call-iptables; only the stateless part (who may use which address) is in the bridge
family.
IPv6 is not carried to or from ports with port security.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable, Sequence

from ..errors import SandboxError
from ..names import port_link
from .model import FloatingIP, Gateway, Port, Rule, SecurityGroup

WITH_PORTS = ('tcp', 'udp', 'sctp', 'dccp', 'udplite')
# Names that Neutron accepts beside those that nft knows by itself, with the numbers of the IANA registry.
PROTOCOLS = {
    'icmp': 1,
    'igmp': 2,
    'ipip': 4,
    'tcp': 6,
    'egp': 8,
    'udp': 17,
    'dccp': 33,
    'rsvp': 46,
    'gre': 47,
    'esp': 50,
    'ah': 51,
    'ospf': 89,
    'vrrp': 112,
    'pgm': 113,
    'sctp': 132,
    'udplite': 136,
    'ipv6-encap': 41,
    'ipv6-route': 43,
    'ipv6-frag': 44,
    'icmpv6': 58,
    'ipv6-icmp': 58,
    'ipv6-nonxt': 59,
    'ipv6-opts': 60,
}
PROTOCOL_NAMES = {number: name for name, number in PROTOCOLS.items()}


def stamped(text: str) -> tuple[str, str]:
    """A rule set and its mark: an empty chain whose name is the digest, so that what is loaded can be recognized."""
    mark = 'v' + hashlib.sha256(text.encode()).hexdigest()[:16]
    return text + f'table inet loaded {{\n  chain {mark} {{\n  }}\n}}\n', mark


def network_rules(ports: Sequence[Port], groups: Sequence[SecurityGroup], members: Sequence[Port]) -> str:
    """Both tables of one network. ports: its filtered ports. members: all ports of all networks, for remote groups."""
    known = {group.id: group for group in groups}
    used = [group for group in groups if any(group.id in port.security_groups for port in ports)]
    remotes = sorted({rule.remote_group for group in used for rule in group.rules if rule.remote_group})
    lines = ['table ip groups {']
    for remote in remotes:
        lines += _set(f'g-{remote}', _addresses(port for port in members if remote in port.security_groups))
    for group in used:
        for direction in ('egress', 'ingress'):
            body = [
                f'    {text}'
                for rule in group.rules
                if rule.direction == direction and (text := rule_text(rule)) is not None
            ]
            lines += [f'  chain {direction}-{group.id} {{', *body, '  }']
    for direction, field, priority in (('egress', 'saddr', 0), ('ingress', 'daddr', 1)):
        lines += _port_chains(ports, direction, known)
        lines += [
            f'  chain {direction} {{',
            f'    type filter hook forward priority {priority};',
            '    ct state established,related accept',
            '    ct state invalid drop',
            *(
                f'    ether {field} {mac} goto {direction}-{port_link(port.id)}'
                for port in ports
                for mac in _macs(port)
            ),
            '  }',
        ]
    return '\n'.join([*lines, '}', *_guard(ports)]) + '\n'


def rule_text(rule: Rule) -> str | None:
    """One rule of a security group in nft's words, None for a rule about IPv6."""
    if rule.ethertype != 'IPv4':
        return None
    side = 'saddr' if rule.direction == 'ingress' else 'daddr'
    parts = []
    if rule.remote_group:
        parts.append(f'ip {side} @g-{rule.remote_group}')
    if rule.remote_ip and not rule.remote_ip.endswith('/0'):
        parts.append(f'ip {side} {ipaddress.ip_network(rule.remote_ip, strict=False)}')
    parts += _protocol(rule)
    return ' '.join([*parts, 'accept'])


def router_rules(gateway: Gateway | None, floating_ips: Sequence[FloatingIP], external: str) -> str:
    """Address translation of one router. external: name of its external interface."""
    inbound = sorted({(item.address, item.fixed) for item in floating_ips})
    lines = [
        'table ip router {',
        *_map('inbound', inbound),
        *_map('outbound', [(fixed, address) for address, fixed in inbound]),
        '  chain before {',
        '    type nat hook prerouting priority dstnat;',
        '    dnat to ip daddr map @inbound',
        '  }',
        '  chain after {',
        '    type nat hook postrouting priority srcnat;',
        f'    oifname "{external}" jump outside',
        # A server that uses a floating IP of its own router: without translation the answer would take the short way
        # and be refused.
        f'    oifname != "{external}" iifname != "{external}" ct status dnat jump hairpin',
        '  }',
        '  chain outside {',
        '    snat to ip saddr map @outbound',
    ]
    if gateway and gateway.snat and gateway.addresses:
        lines.append(f'    snat to {gateway.addresses[0]}')
    lines += ['  }', '  chain hairpin {', '    snat to ip saddr map @outbound', '    masquerade', '  }', '}']
    return '\n'.join(lines) + '\n'


def lab_rules(external: str, resolver: str, lab: str) -> str:
    """Whatever resolver a subnet names, outside of the lab's addresses, the lab's own answers.

    external: bridge that questions come from. resolver: its address. lab: network of the lab's addresses.
    """
    lines = [
        'table ip resolver {',
        '  chain before {',
        '    type nat hook prerouting priority dstnat;',
        *(
            f'    iifname "{external}" ip daddr != {lab} {protocol} dport 53 dnat to {resolver}'
            for protocol in ('udp', 'tcp')
        ),
        '  }',
        '}',
    ]
    return '\n'.join(lines) + '\n'


def _protocol(rule: Rule) -> list[str]:
    if rule.protocol in (None, 'any', 'ip', '0', ''):
        return []
    name = str(rule.protocol).lower()
    name = PROTOCOL_NAMES.get(int(name), name) if name.isdigit() else name
    number = PROTOCOLS.get(name, int(name) if name.isdigit() else None)
    if number is None:
        raise SandboxError(
            'cannot enforce security group rule',
            f'{rule.direction} {rule.protocol}',
            'its protocol is unknown here',
            'use the number of the protocol',
        )
    if name == 'icmp' and rule.port_min is not None:
        code = [] if rule.port_max is None else [f'icmp code {rule.port_max}']
        return [f'icmp type {rule.port_min}', *code]
    if name in WITH_PORTS and (rule.port_min is not None or rule.port_max is not None):
        low = 0 if rule.port_min is None else rule.port_min
        high = 65535 if rule.port_max is None else rule.port_max
        return [f'{name} dport {low}' + (f'-{high}' if high != low else '')]
    return [f'meta l4proto {number}']


def _port_chains(ports: Sequence[Port], direction: str, known: dict[str, SecurityGroup]) -> list[str]:
    lines: list[str] = []
    for port in ports:
        jumps = [f'    jump {direction}-{group}' for group in port.security_groups if group in known]
        lines += [f'  chain {direction}-{port_link(port.id)} {{', *jumps, '    drop', '  }']
    return lines


def _guard(ports: Sequence[Port]) -> list[str]:
    """A port sends only from its own addresses and receives only what is for it; ARP is free to everybody."""
    lines = ['table bridge guard {']
    for port in ports:
        pairs = [(address, port.mac) for address in port.addresses] + list(port.pairs)
        rows = []
        for address, mac in pairs:
            if ipaddress.ip_network(address, strict=False).version == 4:
                match = '' if address.endswith('/0') else address
                rows.append(
                    f'    ether saddr {mac} arp saddr ip {match} accept'
                    if match
                    else f'    ether saddr {mac} ether type arp accept'
                )
                rows.append(
                    f'    ether saddr {mac} ip saddr {match} accept'
                    if match
                    else f'    ether saddr {mac} ether type ip accept'
                )
        lines += [f'  chain from-{port_link(port.id)} {{', *rows, '    drop', '  }']
        macs = ', '.join(_macs(port))
        lines += [
            f'  chain to-{port_link(port.id)} {{',
            '    ether type arp accept',
            f'    ether type ip ether daddr {{ {macs} }} accept',
            '    drop',
            '  }',
        ]
    lines += [
        '  chain before {',
        '    type filter hook prerouting priority -200;',
        *(f'    iifname "{port_link(port.id)}" goto from-{port_link(port.id)}' for port in ports),
        '  }',
    ]
    lines += [
        '  chain between {',
        '    type filter hook forward priority -200;',
        *(f'    oifname "{port_link(port.id)}" goto to-{port_link(port.id)}' for port in ports),
        '  }',
        '}',
    ]
    return lines


def _macs(port: Port) -> list[str]:
    return list(dict.fromkeys((port.mac, *(mac for _, mac in port.pairs))))


def _addresses(ports: Iterable[Port]) -> list[str]:
    found = {address for port in ports for address in (*port.addresses, *(pair[0] for pair in port.pairs))}
    networks = (ipaddress.ip_network(address, strict=False) for address in found)
    return [
        str(item) for item in ipaddress.collapse_addresses(n for n in networks if isinstance(n, ipaddress.IPv4Network))
    ]


def _set(name: str, elements: Sequence[str]) -> list[str]:
    content = [f'    elements = {{ {", ".join(elements)} }}'] if elements else []
    return [f'  set {name} {{', '    type ipv4_addr', '    flags interval', *content, '  }']


def _map(name: str, elements: Sequence[tuple[str, str]]) -> list[str]:
    content = [f'    elements = {{ {", ".join(f"{left} : {right}" for left, right in elements)} }}'] if elements else []
    return [f'  map {name} {{', '    type ipv4_addr : ipv4_addr', *content, '  }']
