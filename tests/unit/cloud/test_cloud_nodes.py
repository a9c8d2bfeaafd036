"""Provisioning converges from any state, never doubles a server, and needs few calls."""

from __future__ import annotations

import dataclasses
import stat
from pathlib import Path

import pytest
from fake_cloud import FakeCloud, Fault
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scs_ci.cloud import marks, nodes, plan, purge, ssh
from scs_ci.cloud.marks import Mark
from scs_ci.cloud.model import FlavorWish, Group, ImageWish, Server, Topology
from scs_ci.core.errors import (
    BootProblem,
    CapacityProblem,
    CredentialProblem,
    ImageProblem,
    InfrastructureProblem,
    NetworkProblem,
    Problem,
    QuotaProblem,
    UsageProblem,
)
from scs_ci.core.naming import names

pytestmark = pytest.mark.unit

MARK = Mark('7f3a1b2c-5d6e-4000-8000-000000000001', 'ci', '2026-11-25T12:00:00Z')
OWN = names(MARK.run)
BLOCK = '-----BEGIN SSH HOST KEY KEYS-----\nssh-ed25519 AAAA{} root@node\n-----END SSH HOST KEY KEYS-----\n'


class FakeProbe:
    """Every node answers with a key of its own."""

    def __init__(self, answers: bool = True, login: str = '') -> None:
        self.answers, self.result, self.logins = answers, login, 0

    def banner(self, address: str) -> bool:
        return self.answers

    def scan(self, address: str) -> frozenset[str]:
        return frozenset({f'ssh-ed25519 AAAA{address.replace(".", "")}'})

    def login(self, address: str, user: str, key: Path, known_hosts: tuple[str, ...]) -> str:
        self.logins += 1
        return self.result


def request(tmp_path: Path, fake: FakeCloud, count: int = 2, **changes: object) -> nodes.Request:
    first = nodes.Request(
        MARK,
        Topology((Group(count=count),)),
        tmp_path / 'key',
        clock=fake.clock,
        probe=FakeProbe(),
        logs=tmp_path / 'logs',
    )
    return dataclasses.replace(first, **changes)


def own(fake: FakeCloud) -> list[str]:
    return [s.name for s in fake.kinds['server'].values() if marks.from_metadata(s.metadata) == MARK]


def test_provisions_and_converges(tmp_path: Path) -> None:
    fake = FakeCloud()
    result = nodes.present(fake.cloud, request(tmp_path, fake))
    assert result.changed
    assert [node.name for node in result.nodes] == [OWN.node(0), OWN.node(1)]
    assert len({node.address for node in result.nodes}) == 2
    assert result.nodes[0].user == 'debian'
    assert result.nodes[0].flavor == 'SCS-2V-4-10'
    assert set(result.nodes[0].seconds) == {'requested', 'active', 'address', 'ssh'}
    assert all(mark_of(item) == MARK for kind in ('network', 'subnet', 'router', 'security_group', 'floating_ip')
               for item in fake.kinds[kind].values() if item is not fake.external)  # fmt: skip
    again = nodes.present(fake.cloud, request(tmp_path, fake))
    assert not again.changed
    assert [n.id for n in again.nodes] == [n.id for n in result.nodes]
    assert {n.host_keys_from for n in again.nodes} == {'remembered'}


def mark_of(item: object) -> Mark | None:
    return marks.from_description(item.description)  # type: ignore[attr-defined]


def test_key_is_private_and_outside_the_run(tmp_path: Path) -> None:
    fake = FakeCloud()
    node = nodes.present(fake.cloud, request(tmp_path, fake, 1)).nodes[0]
    assert stat.S_IMODE(Path(node.key_file).stat().st_mode) == 0o600
    assert Path(node.key_file).read_text().startswith('-----BEGIN OPENSSH PRIVATE KEY-----')


@pytest.mark.parametrize('count', [1, 20, 50])
def test_call_gates(tmp_path: Path, count: int) -> None:
    """One POST per server and address; lists do not grow with the number of nodes; boot 30 s at one list per 2 s."""
    fake = FakeCloud(boot=30)
    nodes.present(fake.cloud, request(tmp_path, fake, count))
    assert fake.calls['create server'] == count
    assert fake.calls['create floating_ip'] == count
    lists = sum(n for call, n in fake.calls.items() if call.startswith('list'))
    assert lists <= 35
    fake.calls.clear()
    nodes.present(fake.cloud, request(tmp_path, fake, count))
    # the plan's list and the wait's, ports, floating IPs: nothing that grows with the number of nodes
    assert sum(fake.calls.values()) <= 4


def test_check_mode_changes_nothing(tmp_path: Path) -> None:
    fake = FakeCloud()
    result = nodes.preview(fake.cloud, request(tmp_path, fake))
    assert [(row['action'], row['reason']) for row in result.rows()] == [('create', 'missing')] * 2
    assert result.diff() == {'before': {}, 'after': {OWN.node(0): 'ACTIVE', OWN.node(1): 'ACTIVE'}}
    assert not [call for call in fake.calls if not call.startswith(('list', 'get'))]
    assert not (tmp_path / 'key').exists()


MADE = (
    'create server',
    'create floating_ip',
    'create network',
    'create router',
    'create security_group',
    'create rules',
    'add interface',
    'create key_pair',
)


@pytest.mark.parametrize('call', MADE)
@pytest.mark.parametrize('status', [504, 503, 429, 0])
def test_lost_and_refused_answers_double_nothing(tmp_path: Path, call: str, status: int) -> None:
    fake = FakeCloud(boot=5)
    fake.faults = [Fault(call, status, after=status in (504, 0))]
    nodes.present(fake.cloud, request(tmp_path, fake))
    assert sorted(own(fake)) == [OWN.node(0), OWN.node(1)]
    assert len(fake.kinds['floating_ip']) == 2
    for kind in ('router', 'security_group', 'key_pair', 'subnet'):
        assert len(fake.kinds[kind]) == 1, kind
    assert len(fake.kinds['network']) == 2


@pytest.mark.parametrize('start', [0.0, 1.0, 5.0, 20.0, 31.0])
def test_a_network_that_is_cut_for_half_a_minute_is_outlasted(tmp_path: Path, start: float) -> None:
    fake = FakeCloud(boot=30)
    fake.cut = (start, start + 30)
    nodes.present(fake.cloud, request(tmp_path, fake))
    assert sorted(own(fake)) == [OWN.node(0), OWN.node(1)]
    assert len(fake.kinds['floating_ip']) == 2
    assert fake.clock.time > start + 30


@pytest.mark.parametrize(
    ('message', 'problem'),
    [
        ('No valid host was found. There are not enough hosts available.', CapacityProblem),
        ('Exceeded maximum number of retries. Exhausted all hosts available', CapacityProblem),
        ('Maximum number of ports exceeded', QuotaProblem),
        ('Build of instance aborted: boom', BootProblem),
        ('', BootProblem),
    ],
)
def test_boot_errors_have_their_class_and_are_replaced(tmp_path: Path, message: str, problem: type[Problem]) -> None:
    fake = FakeCloud(boot=3)
    fake.errors = {OWN.node(1): message or 'x'}
    if not message:
        fake.errors = {OWN.node(1): ' '}
    with pytest.raises(problem, match=OWN.node(1)):
        nodes.present(fake.cloud, request(tmp_path, fake))
    fake.errors = {}
    result = nodes.present(fake.cloud, request(tmp_path, fake))
    assert [step.action for step in result.steps] == ['replace']
    assert len(result.nodes) == 2
    assert sorted(own(fake)) == [OWN.node(0), OWN.node(1)]
    # the floating IP of the replaced server is used again
    assert len(fake.kinds['floating_ip']) <= 2


@pytest.mark.parametrize(
    ('call', 'status', 'text', 'problem'),
    [
        ('create server', 403, 'Quota exceeded for cores: Requested 2, but already used 8 of 8 cores', QuotaProblem),
        ('create floating_ip', 409, "Quota exceeded for resources: ['floatingip'].", QuotaProblem),
        ('create server', 403, 'Policy does not allow', CredentialProblem),
        ('create network', 400, 'invalid', InfrastructureProblem),
    ],
)
def test_refusals_have_their_class(tmp_path: Path, call: str, status: int, text: str, problem: type[Problem]) -> None:
    fake = FakeCloud(boot=3)
    fake.faults = [Fault(call, status, 1000, text=text)]
    with pytest.raises(problem) as caught:
        nodes.present(fake.cloud, request(tmp_path, fake))
    assert text in str(caught.value)
    assert 'next:' in str(caught.value)


def test_boot_without_end_ends(tmp_path: Path) -> None:
    fake = FakeCloud(boot=10**6)
    with pytest.raises(BootProblem, match='BUILD after'):
        nodes.present(fake.cloud, request(tmp_path, fake, timeout=60))
    assert fake.clock.time < 90


def test_console_of_a_failed_node_is_kept(tmp_path: Path) -> None:
    fake = with_console(FakeCloud(boot=3), 'login of the cloud: hunter22\nkernel panic\n')
    probe = FakeProbe(answers=False)
    wanted = request(tmp_path, fake, 1, timeout=20, probe=probe, redact=lambda text: text.replace('hunter22', '***'))
    with pytest.raises(NetworkProblem, match='cannot reach'):
        nodes.present(fake.cloud, wanted)
    kept = (tmp_path / 'logs' / f'{OWN.node(0)}.console.log').read_text()
    assert 'kernel panic' in kept
    assert 'hunter22' not in kept


def test_refused_login_is_a_boot_problem_with_ssh_s_words(tmp_path: Path) -> None:
    fake = FakeCloud(boot=3)
    with pytest.raises(BootProblem, match=r'Permission denied \(publickey\)'):
        nodes.present(
            fake.cloud, request(tmp_path, fake, 1, timeout=30, probe=FakeProbe(login='Permission denied (publickey).'))
        )


def with_console(fake: FakeCloud, text: str) -> FakeCloud:
    original = fake.server

    def server(body: dict[str, object]) -> object:
        item = original(body)
        item.console = text
        return item

    fake.server = server  # type: ignore[method-assign]
    return fake


def test_the_console_s_host_keys_are_believed(tmp_path: Path) -> None:
    fake = with_console(FakeCloud(boot=3), BLOCK.format('1981811'))
    node = nodes.present(fake.cloud, request(tmp_path, fake, 1)).nodes[0]
    assert node.host_keys_from == 'console'
    assert node.known_hosts == ('198.18.1.1 ssh-ed25519 AAAA1981811',)


def test_other_host_keys_than_the_console_s_are_refused(tmp_path: Path) -> None:
    fake = with_console(FakeCloud(boot=3), BLOCK.format('other'))
    with pytest.raises(BootProblem, match='cannot trust'):
        nodes.present(fake.cloud, request(tmp_path, fake, 1))


def test_scanned_host_keys_ask_no_console(tmp_path: Path) -> None:
    fake = with_console(FakeCloud(boot=3), BLOCK.format('other'))
    node = nodes.present(fake.cloud, request(tmp_path, fake, 1, host_keys=ssh.SCAN)).nodes[0]
    assert node.host_keys_from == 'scan'
    assert node.known_hosts == ('198.18.1.1 ssh-ed25519 AAAA1981811',)
    assert not fake.calls['console']


def test_changed_wish_replaces(tmp_path: Path) -> None:
    fake = FakeCloud(boot=3)
    nodes.present(fake.cloud, request(tmp_path, fake, 1))
    larger = Topology((Group(count=1, flavor=FlavorWish(vcpus=4, ram=8192, disk=20)),))
    result = nodes.present(fake.cloud, request(tmp_path, fake, topology=larger))
    assert [(s.action, s.reason) for s in result.steps] == [('replace', 'wish changed')]
    assert result.nodes[0].flavor == 'SCS-4V-16'
    # diskless: from a volume with our mark and the wanted size
    volume = next(iter(fake.kinds['volume'].values()))
    assert (volume.size, marks.from_metadata(volume.metadata)) == (20, MARK)


def test_fewer_nodes_delete_the_others(tmp_path: Path) -> None:
    fake = FakeCloud(boot=3)
    nodes.present(fake.cloud, request(tmp_path, fake, 3))
    result = nodes.present(fake.cloud, request(tmp_path, fake, 1))
    assert [(s.action, s.name) for s in result.steps] == [('delete', OWN.node(1)), ('delete', OWN.node(2))]
    assert own(fake) == [OWN.node(0)]


def test_a_foreign_server_of_the_same_name_is_not_ours(tmp_path: Path) -> None:
    fake = FakeCloud(boot=3)
    foreign = fake.add(
        'server',
        OWN.node(0),
        status='ACTIVE',
        task_state=None,
        fault=None,
        availability_zone='',
        key_name='',
        created_at='',
    )
    idle = fake.add('floating_ip', 'idle', port_id=None, floating_ip_address='198.18.9.9', fixed_ip_address='')
    node = nodes.present(fake.cloud, request(tmp_path, fake, 1)).nodes[0]
    assert node.id != foreign.id
    assert node.address != idle.floating_ip_address
    purge.Purge(fake.cloud, MARK.run, say=lambda *_: None, clock=fake.clock).execute()
    assert list(fake.kinds['server']) == [foreign.id]
    assert list(fake.kinds['floating_ip']) == [idle.id]


def test_impossible_wishes_are_named_before_anything_is_made(tmp_path: Path) -> None:
    fake = FakeCloud()
    for group, problem, match in (
        (Group(flavor=FlavorWish(vcpus=999)), InfrastructureProblem, r'>= 999 vCPU.*SCS-2V-4-10 \(2 vCPU < 999\)'),
        (
            Group(image=ImageWish({'os_distro': 'plan9'})),
            ImageProblem,
            "os_distro=plan9.*Debian 12 .os_distro is 'debian'",
        ),
        (Group(image=ImageWish(name='gone')), ImageProblem, 'name gone'),
    ):
        with pytest.raises(problem, match=match):
            nodes.preview(fake.cloud, request(tmp_path, fake, topology=Topology((group,))))
        with pytest.raises(problem, match=match):
            nodes.present(fake.cloud, request(tmp_path, fake, topology=Topology((group,))))
    assert not [call for call in fake.calls if call.startswith('create')]


def test_several_external_networks_are_not_guessed(tmp_path: Path) -> None:
    fake = FakeCloud()
    fake.add('network', 'other', external=True)
    with pytest.raises(NetworkProblem, match='public, other'):
        nodes.present(fake.cloud, request(tmp_path, fake))
    named = Topology((Group(),), external='public')
    assert nodes.present(fake.cloud, request(tmp_path, fake, topology=named)).nodes


def test_an_existing_network_is_used(tmp_path: Path) -> None:
    fake = FakeCloud(boot=3)
    network = fake.add('network', 'mine')
    node = nodes.present(fake.cloud, request(tmp_path, fake, topology=Topology((Group(),), network='mine'))).nodes[0]
    port = next(p for p in fake.kinds['port'].values() if p.device_id == node.id)
    assert port.network_id == network.id
    assert not fake.kinds['router']


def test_without_floating_ips_no_router_and_the_fixed_address(tmp_path: Path) -> None:
    fake = FakeCloud(boot=3)
    node = nodes.present(fake.cloud, request(tmp_path, fake, topology=Topology((Group(floating_ip=False),)))).nodes[0]
    assert node.address == node.fixed_address
    assert not fake.kinds['floating_ip']
    assert not fake.kinds['router']


@pytest.mark.parametrize('group', [Group(count=-1), Group(name='a b'), Group(name='')])
def test_unusable_groups(tmp_path: Path, group: Group) -> None:
    fake = FakeCloud()
    with pytest.raises(UsageProblem, match='group'):
        nodes.preview(fake.cloud, request(tmp_path, fake, topology=Topology((group,))))


def test_two_groups_of_one_name_are_refused(tmp_path: Path) -> None:
    fake = FakeCloud()
    with pytest.raises(UsageProblem, match='same name'):
        nodes.preview(fake.cloud, request(tmp_path, fake, topology=Topology((Group(), Group()))))


SERVERS = st.lists(
    st.builds(
        Server,
        id=st.uuids().map(str),
        name=st.sampled_from([OWN.node(i) for i in range(4)]),
        status=st.sampled_from(['ACTIVE', 'BUILD', 'ERROR', 'SHUTOFF', 'UNKNOWN']),
        task=st.just(''),
        metadata=st.sampled_from([{plan.WISH: 'w', **MARK.metadata()}, {plan.WISH: 'old', **MARK.metadata()}]),
        zone=st.just(''),
        fault=st.just(''),
        key=st.just(''),
        created=st.sampled_from(['1', '2']),
    ),
    max_size=8,
)


@given(have=SERVERS, count=st.integers(0, 4))
def test_planning_after_applying_is_empty(have: list[Server], count: int) -> None:
    wanted = plan.node_names(Topology((Group(count=count),)), OWN)
    steps = plan.steps(wanted, {'node': 'w'}, have)
    gone = {step.server for step in steps if step.server}
    assert gone <= {server.id for server in have}
    after = [server for server in have if server.id not in gone]
    after += [
        Server(step.name, step.name, 'ACTIVE', '', {plan.WISH: 'w', **MARK.metadata()}, '', '', '', '3')
        for step in steps
        if step.action in ('create', 'replace')
    ]
    assert plan.steps(wanted, {'node': 'w'}, after) == []
    assert sorted(server.name for server in after) == sorted(wanted)


LISTS = ('list server', 'list port', 'list floating_ip')
CALLS = st.sampled_from([*MADE, *LISTS])


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(faults=st.lists(st.tuples(CALLS, st.sampled_from([503, 504, 429, 400, 403, 500]), st.booleans()), max_size=4))
def test_after_any_failure_a_second_call_converges(tmp_path: Path, faults: list[tuple[str, int, bool]]) -> None:
    fake = FakeCloud(boot=3)
    wanted = request(tmp_path, fake)
    fake.faults = [Fault(call, status, after=lost and status == 504) for call, status, lost in faults]
    try:
        nodes.present(fake.cloud, wanted)
    except Problem:
        fake.faults = []
        nodes.present(fake.cloud, wanted)
    assert sorted(own(fake)) == [OWN.node(0), OWN.node(1)]
    assert len(fake.kinds['floating_ip']) == 2
    assert len(fake.kinds['network']) == 2
    fake.faults = []
    purge.Purge(fake.cloud, MARK.run, say=lambda *_: None, clock=fake.clock).execute()
    assert {kind: fake.names(kind) for kind in fake.kinds if fake.kinds[kind]} == {'network': ['public']}


def test_the_fault_of_a_server_is_told_and_not_its_vanished_port(tmp_path: Path) -> None:
    fake = FakeCloud(boot=3)
    fake.errors = {OWN.node(0): 'Build of instance aborted: boom'}
    fake.faults = [Fault('create floating_ip', 404, 5, text='Port could not be found')]
    with pytest.raises(BootProblem, match='boom'):
        nodes.present(fake.cloud, request(tmp_path, fake, 1))
