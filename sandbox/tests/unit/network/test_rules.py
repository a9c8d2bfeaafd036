"""nftables text for security groups and routers."""

from __future__ import annotations

import pytest

from scs_sandbox.errors import SandboxError
from scs_sandbox.network import rules
from scs_sandbox.network.model import FloatingIP, Gateway, Port, Rule, SecurityGroup

pytestmark = pytest.mark.unit

WEB, PEERS = 'aaaaaaaa-web', 'bbbbbbbb-peers'


def rule(
    direction: str = 'ingress',
    protocol: str | None = 'tcp',
    low: int | None = 22,
    high: int | None = 22,
    remote_ip: str | None = None,
    remote_group: str | None = None,
    ethertype: str = 'IPv4',
) -> Rule:
    return Rule(direction, ethertype, protocol, low, high, remote_ip, remote_group)


def port(number: int, *groups: str, pairs: tuple[tuple[str, str], ...] = ()) -> Port:
    identifier = f'{number:08d}-0000-0000-0000-000000000000'
    return Port(
        identifier,
        'net',
        f'fa:16:3e:00:00:{number:02x}',
        (f'10.0.0.{number}',),
        'vm',
        'compute:nova',
        groups,
        True,
        pairs,
    )


@pytest.mark.parametrize(
    ('given', 'text'),
    [
        (rule(), 'tcp dport 22 accept'),
        (rule(low=30000, high=32767), 'tcp dport 30000-32767 accept'),
        (rule(low=None, high=None), 'meta l4proto 6 accept'),
        (rule(low=1, high=65535, protocol='17'), 'udp dport 1-65535 accept'),
        (rule(protocol=None, low=None, high=None), 'accept'),
        (rule(protocol='icmp', low=None, high=None), 'meta l4proto 1 accept'),
        (rule(protocol='icmp', low=8, high=0), 'icmp type 8 icmp code 0 accept'),
        (rule(protocol='112', low=None, high=None), 'meta l4proto 112 accept'),
        (rule(protocol='4', low=None, high=None), 'meta l4proto 4 accept'),
        (rule(remote_ip='0.0.0.0/0'), 'tcp dport 22 accept'),
        (rule(remote_ip='10.1.2.3/8'), 'ip saddr 10.0.0.0/8 tcp dport 22 accept'),
        (rule('egress', remote_ip='10.0.0.0/8'), 'ip daddr 10.0.0.0/8 tcp dport 22 accept'),
        (rule(remote_group=PEERS), f'ip saddr @g-{PEERS} tcp dport 22 accept'),
        (rule(ethertype='IPv6'), None),
    ],
)
def test_rule(given: Rule, text: str | None) -> None:
    assert rules.rule_text(given) == text


def test_unknown_protocol_is_an_error_not_a_hole() -> None:
    with pytest.raises(SandboxError, match='protocol is unknown'):
        rules.rule_text(rule(protocol='quux'))


def test_every_port_ends_in_a_drop_and_groups_are_jumped_to() -> None:
    groups = [SecurityGroup(WEB, (rule(), rule('egress', None, None, None))), SecurityGroup(PEERS, ())]
    text = rules.network_rules([port(5, WEB), port(6)], groups, [port(5, WEB), port(6)])
    assert f'chain ingress-p0000000500000 {{\n    jump ingress-{WEB}\n    drop\n  }}' in text
    assert 'chain ingress-p0000000600000 {\n    drop\n  }' in text
    assert 'ether daddr fa:16:3e:00:00:05 goto ingress-p0000000500000' in text
    assert PEERS not in text  # no port uses it


def test_remote_group_is_the_set_of_its_members_in_all_networks() -> None:
    groups = [SecurityGroup(WEB, (rule(remote_group=PEERS),))]
    members = [port(7, PEERS), port(8, PEERS, pairs=(('10.9.0.0/24', 'fa:16:3e:00:00:08'),)), port(9)]
    text = rules.network_rules([port(5, WEB)], groups, members)
    assert f'set g-{PEERS} {{' in text
    assert 'elements = { 10.0.0.7/32, 10.0.0.8/32, 10.9.0.0/24 }' in text


def test_guard_accepts_own_and_paired_addresses_only() -> None:
    text = rules.network_rules(
        [port(5, pairs=(('10.0.0.100', 'fa:16:3e:00:00:05'), ('0.0.0.0/0', 'fa:16:3e:ff:00:05')))], [], []
    )
    chain = text.split('chain from-p0000000500000 {')[1].split('}')[0]
    assert 'ether saddr fa:16:3e:00:00:05 ip saddr 10.0.0.5 accept' in chain
    assert 'ether saddr fa:16:3e:00:00:05 ip saddr 10.0.0.100 accept' in chain
    assert 'ether saddr fa:16:3e:ff:00:05 ether type ip accept' in chain
    assert chain.strip().endswith('drop')


def test_router_translates_floating_addresses_both_ways() -> None:
    text = rules.router_rules(
        Gateway('ext', ('198.18.1.7',), True), [FloatingIP('f', '198.18.1.9', '10.0.0.5', 'r')], 'ext0'
    )
    assert 'elements = { 198.18.1.9 : 10.0.0.5 }' in text
    assert 'elements = { 10.0.0.5 : 198.18.1.9 }' in text
    assert 'snat to 198.18.1.7' in text
    assert 'snat to 198.18.1.7' not in rules.router_rules(Gateway('ext', ('198.18.1.7',), False), [], 'ext0')


def test_the_mark_follows_the_text() -> None:
    assert rules.stamped('a') == rules.stamped('a')
    assert rules.stamped('a')[1] != rules.stamped('b')[1]
    text, mark = rules.stamped('a')
    assert f'chain {mark} ' in text
