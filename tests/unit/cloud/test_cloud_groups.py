"""What groups of nodes may ask for, the cost of a plan, and half-marked or half-made things of earlier calls."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from fake_cloud import FakeCloud, Fault, Item, _flavor
from test_cloud_nodes import MARK, OWN, own, request

from scs_ci.cloud import marks, nodes, purge, quota, ssh, topology
from scs_ci.cloud.model import FlavorWish, Group, SecurityRule, Topology, VolumeWish
from scs_ci.core.errors import BootProblem, Problem, UsageProblem

pytestmark = pytest.mark.unit

RICH = {
    'groups': [
        {
            'name': 'cp',
            'count': 2,
            'flavor': {'vcpus': 4, 'ram': 8192, 'disk': 40},
            'image': {'os_distro': 'debian', 'os_version': 12},
            'volumes': [{'size': 5}, {'size': 7, 'type': 'fast'}],
            'security': [{'port': 6443}, {'protocol': 'udp', 'port': 8472, 'remote': '10.0.0.0/8'}],
            'user_data': '#!/bin/sh\ntrue\n',
            'server_group': 'soft-anti-affinity',
            'zones': ['nova'],
        },
        {'name': 'other', 'floating_ip': False},
    ]
}


def test_everything_a_group_can_ask_for(tmp_path: Path) -> None:
    fake = FakeCloud(boot=3)
    result = nodes.present(fake.cloud, request(tmp_path, fake, topology=topology.parse(RICH)))
    assert [node.group for node in result.nodes] == ['cp', 'cp', 'other']
    cp = next(body for body in fake.bodies if body['name'] == f'{OWN.prefix}-cp-0')
    other = next(body for body in fake.bodies if body['name'] == f'{OWN.prefix}-other-0')
    devices = [(d['boot_index'], d['source_type'], d['delete_on_termination']) for d in cp['block_device_mapping']]
    assert devices == [(0, 'volume', True), (-1, 'volume', True), (-1, 'volume', True)]
    assert [fake.kinds['volume'][d['uuid']].size for d in cp['block_device_mapping']] == [40, 5, 7]
    assert {marks.from_metadata(v.metadata) for v in fake.kinds['volume'].values()} == {MARK}
    assert base64.b64decode(cp['user_data']) == b'#!/bin/sh\ntrue\n'
    group = fake.kinds['server_group'][cp['scheduler_hints']['group']]
    assert (group.name, group.policy) == (f'{OWN.prefix}-cp-soft-anti-affinity', 'soft-anti-affinity')
    assert (len(cp['security_groups']), len(other['security_groups'])) == (2, 1)
    rules = fake.kinds['security_group'][cp['security_groups'][1]['name']].security_group_rules
    ports = [(r['protocol'], r['port_range_min'], r.get('remote_ip_prefix')) for r in rules]
    assert ports == [('tcp', 6443, None), ('udp', 8472, '10.0.0.0/8')]
    assert 'scheduler_hints' not in other
    assert not nodes.present(fake.cloud, request(tmp_path, fake, topology=topology.parse(RICH))).changed
    purge.Purge(fake.cloud, MARK.run, say=lambda *_: None, clock=fake.clock).execute()
    assert {kind: fake.names(kind) for kind in fake.kinds if fake.kinds[kind]} == {'network': ['public']}


def test_a_volume_beside_a_disk_leaves_the_image_on_the_disk(tmp_path: Path) -> None:
    fake = FakeCloud(boot=3)
    wanted = Topology((Group(volumes=(VolumeWish(3),)),))
    nodes.present(fake.cloud, request(tmp_path, fake, topology=wanted))
    (body,) = fake.bodies
    first, second = body['block_device_mapping']
    assert (first['source_type'], first['uuid'], first['boot_index']) == ('image', body['image_id'], 0)
    assert (second['source_type'], second['boot_index']) == ('volume', -1)


@pytest.mark.parametrize(
    ('change', 'reason'),
    [
        ({'security': (SecurityRule(port=80),)}, 'wish changed'),
        ({'volumes': (VolumeWish(3),)}, 'wish changed'),
        ({'server_group': 'affinity'}, 'wish changed'),
    ],
)
def test_a_changed_wish_is_never_ignored(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    fake = FakeCloud(boot=3)
    nodes.present(fake.cloud, request(tmp_path, fake, 1))
    result = nodes.present(fake.cloud, request(tmp_path, fake, topology=Topology((Group(**change),))))
    assert [(step.action, step.reason) for step in result.steps] == [('replace', reason)]


@pytest.mark.parametrize(
    ('group', 'match'),
    [
        ({'server_group': 'near'}, "'near' is none of affinity"),
        ({'volumes': [{'size': 0}]}, 'volume of 0 GB'),
        ({'volumes': [{'type': 'fast'}]}, "'size' is missing"),
        ({'security': [{'port': 70000}]}, 'ports 70000'),
        ({'security': [{'port': 90, 'last': 80}]}, 'ports 90 to 80'),
        ({'security': [{'last': 80}]}, 'ports 0 to 80'),
        ({'security': [{'remote': 'everybody'}]}, 'everybody'),
        ({'security': [{'remote': '10.1.0.0/8'}]}, 'host bits set'),
        ({'image': {'os_version': 24.04}}, '24.04 is not str'),
        ({'image': {'properties': 3}}, '3 is not an object'),
        ({'image': 'debian'}, "'debian' is not an object"),
    ],
)
def test_wishes_that_no_cloud_can_meet_are_usage_errors(group: dict[str, Any], match: str) -> None:
    with pytest.raises(UsageProblem, match=match):
        topology.parse({'groups': [group]})


def test_properties_of_an_image_beside_its_name() -> None:
    image = (
        topology.parse({'groups': [{'image': {'os_distro': 'debian', 'properties': {'os_version': 12}}}]})
        .groups[0]
        .image
    )
    assert image.properties == {'os_distro': 'debian', 'os_version': '12'}


def test_flavors_too_small_for_the_image_are_passed_over(tmp_path: Path) -> None:
    fake = FakeCloud(boot=3)
    fake.flavors = [_flavor('small', 2, 4096, 10), _flavor('wide', 2, 4096, 30)]
    for image in fake.images:
        image.min_disk = 20
    chosen = nodes.preview(fake.cloud, request(tmp_path, fake, 1)).chosen[0]
    assert chosen.flavor == 'wide'
    assert ('small', '10 GB < 20 that image Debian 12 needs') in [(r.name, r.reason) for r in chosen.passed_over]


def diskless(fake: FakeCloud) -> Topology:
    fake.flavors = [_flavor('SCS-2V-8', 2, 8192, 0)]
    return Topology((Group(count=2, flavor=FlavorWish(disk=3)),))


def test_the_root_volume_is_as_large_as_the_image_wants(tmp_path: Path) -> None:
    fake = FakeCloud(boot=3)
    nodes.present(fake.cloud, request(tmp_path, fake, topology=diskless(fake)))
    assert [volume.size for volume in fake.kinds['volume'].values()] == [5, 5]
    assert not hasattr(next(iter(fake.kinds['volume'].values())), 'volume_type')


def test_a_volume_type_is_found_where_the_cloud_has_no_default(tmp_path: Path) -> None:
    fake = FakeCloud(boot=3)
    fake.default_type = None
    fake.types = [Item(name='ssd', is_public=True), Item(name='hdd', is_public=True), Item(name='a', is_public=False)]
    nodes.present(fake.cloud, request(tmp_path, fake, topology=diskless(fake)))
    assert {volume.volume_type for volume in fake.kinds['volume'].values()} == {'hdd'}


@pytest.mark.parametrize('call', ['create server', 'create volume', 'create router'])
def test_a_second_call_uses_the_volumes_of_the_first(tmp_path: Path, call: str) -> None:
    fake = FakeCloud(boot=3)
    wanted = request(tmp_path, fake, topology=diskless(fake))
    fake.faults = [Fault(call, 400, 5)]
    with pytest.raises(Problem):
        nodes.present(fake.cloud, wanted)
    fake.faults = []
    nodes.present(fake.cloud, wanted)
    assert len(fake.kinds['volume']) == 2


def test_a_broken_volume_is_told_and_then_replaced(tmp_path: Path) -> None:
    fake = FakeCloud(boot=3)
    wanted = request(tmp_path, fake, topology=diskless(fake))
    fake.volume_status = 'error'
    with pytest.raises(BootProblem, match='status is error'):
        nodes.present(fake.cloud, wanted)
    fake.volume_status = 'available'
    nodes.present(fake.cloud, wanted)
    assert [volume.status for volume in fake.kinds['volume'].values()] == ['in-use'] * 2


def test_half_a_mark_is_recognized_and_made_whole(tmp_path: Path) -> None:
    fake = FakeCloud(boot=3)
    nodes.present(fake.cloud, request(tmp_path, fake, 2))
    server = next(item for item in fake.kinds['server'].values() if item.name == OWN.node(1))
    del server.metadata[marks.EXPIRES]
    result = nodes.present(fake.cloud, request(tmp_path, fake, 2))
    assert [(step.action, step.name, step.reason) for step in result.steps] == [
        ('replace', OWN.node(1), 'has half a mark')
    ]
    assert sorted(own(fake)) == [OWN.node(0), OWN.node(1)]


def test_a_server_that_is_being_deleted_is_not_counted_and_not_waited_for(tmp_path: Path) -> None:
    fake = FakeCloud(boot=3)
    nodes.present(fake.cloud, request(tmp_path, fake, 1))
    (old,) = fake.kinds['server'].values()
    old.task_state = 'deleting'
    result = nodes.present(fake.cloud, request(tmp_path, fake, 1))
    assert [step.action for step in result.steps] == ['create']
    assert result.nodes[0].id != old.id


LISTS_OF_WAITING = {'list server', 'list port', 'list floating_ip', 'list volume'}


@pytest.mark.parametrize('host_keys', ssh.HOST_KEYS)
@pytest.mark.parametrize('wanted', ['plain', 'diskless', 'rich', 'inside'])
def test_the_cost_of_a_plan_is_what_it_costs(tmp_path: Path, wanted: str, host_keys: str) -> None:
    fake = FakeCloud(boot=0)
    topologies = {
        'plain': lambda: Topology((Group(count=3),)),
        'diskless': lambda: diskless(fake),
        'rich': lambda: topology.parse(RICH),
        'inside': lambda: Topology((Group(floating_ip=False),)),
    }
    asked = request(tmp_path, fake, topology=topologies[wanted](), host_keys=host_keys)
    cost = nodes.preview(fake.cloud, asked).cost
    assert cost
    fake.calls.clear()
    nodes.present(fake.cloud, asked)
    once = {call: n for call, n in fake.calls.items() if call not in LISTS_OF_WAITING}
    consoles = {'console': min(once.get('console', 0), len(fake.bodies))}  # asked again where they show no host key
    lists = 1 + 2 * bool(fake.kinds['volume'])
    assert cost.total == sum((once | consoles).values()) + lists, (cost.calls, dict(fake.calls))
    assert cost.quota['instances'] == len(fake.bodies)
    assert cost.quota.get('volumes', 0) == len(fake.kinds['volume'])
    assert cost.quota.get('floating_ips', 0) == len(fake.kinds['floating_ip'])
    assert cost.quota['security_groups'] == len(fake.kinds['security_group'])
    assert cost.quota.get('server_groups', 0) == len(fake.kinds['server_group'])
    assert set(cost.quota) <= set(quota.KINDS)
    assert str(cost).startswith(f'{cost.total} requests')


def test_a_converged_plan_costs_one_list(tmp_path: Path) -> None:
    fake = FakeCloud(boot=3)
    nodes.present(fake.cloud, request(tmp_path, fake, 2))
    result = nodes.preview(fake.cloud, request(tmp_path, fake, 2))
    assert result.cost
    assert (result.cost.calls, result.cost.quota) == ({'lists of servers': 1}, {})
