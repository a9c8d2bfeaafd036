"""What a purge costs, what it never touches, and what it says when it cannot see or is not allowed."""

from __future__ import annotations

import pytest
from fake_cloud import FakeCloud, Fault

from scs_ci.cli import main
from scs_ci.cloud import connect, inventory, purge, stages
from scs_ci.cloud.connect import Cloud
from scs_ci.cloud.marks import Mark
from scs_ci.core.errors import CredentialProblem, LeftoversProblem, Problem
from scs_ci.core.naming import names

pytestmark = pytest.mark.unit

RUN = '7f3a1b2c-5d6e-4000-8000-000000000001'
MARK = Mark(RUN, 'ci', '2026-11-25T12:00:00Z')
OTHER = Mark('7f3a1b2c-5d6f-4000-8000-000000000002', 'somebody', '2026-11-25T12:00:00Z')
P = names(RUN).prefix


def worker(fake: FakeCloud, **options: object) -> purge.Purge:
    return purge.Purge(fake.cloud, RUN, say=lambda *_: None, clock=fake.clock, **options)


def fill(fake: FakeCloud, count: int) -> str:
    """Nodes with floating IPs and what is made once per run; returns the network's id."""
    description = MARK.description()
    network = fake.add('network', f'{P}-network', description=description)
    subnet = fake.add('subnet', f'{P}-subnet', network_id=network.id, cidr='10.0.0.0/24', description=description)
    router = fake.add('router', f'{P}-router', description=description)
    fake.add('port', network_id=network.id, subnet_id=subnet.id, device_id=router.id,
             device_owner='network:router_interface')  # fmt: skip
    group = fake.add('security_group', f'{P}-group', description=description)
    for number in range(count):
        server = fake.add('server', f'{P}-node-{number}', metadata=MARK.metadata())
        port = fake.add('port', network_id=network.id, subnet_id=subnet.id, device_id=server.id,
                        device_owner='compute:nova', security_group=group.id)  # fmt: skip
        fake.add('floating_ip', port_id=port.id, description=description, floating_ip_address='x', fixed_ip_address='')
    fake.add('key_pair', P)
    return network.id


@pytest.mark.parametrize('count', [1, 50])
def test_each_thing_is_deleted_by_one_request_and_nothing_is_refused(fake: FakeCloud, count: int) -> None:
    fill(fake, count)
    result = worker(fake).execute()
    assert result.kept == ()
    deletions = {call: number for call, number in fake.calls.items() if call.startswith('delete')}
    once = dict.fromkeys(('network', 'router', 'port', 'security_group', 'key_pair'), 1)
    wanted = {f'delete {kind}': number for kind, number in {**once, 'server': count, 'floating_ip': count}.items()}
    assert deletions == wanted
    assert result.counts()['subnet'] == 1


def test_nodes_go_with_at_most_two_and_a_half_requests_each(fake: FakeCloud) -> None:
    fill(fake, 50)
    result = worker(fake, only=purge.nodes_only).execute()
    assert result.kept == ()
    assert sum(fake.calls.values()) <= 2.5 * 50
    assert fake.names('server') == []
    assert fake.names('network') == ['public']


def test_a_whole_run_costs_the_lists_of_the_proof_on_top(fake: FakeCloud) -> None:
    fill(fake, 50)
    worker(fake).execute()
    lists = sum(number for call, number in fake.calls.items() if call.startswith('list'))
    assert sum(fake.calls.values()) - len(inventory.KINDS) <= 2.5 * 50
    assert lists <= 2 * len(inventory.KINDS) + 5


def test_ports_of_others_on_a_network_of_the_run_stay(fake: FakeCloud) -> None:
    """The network stays, too, and the leftover says what holds it: nothing of others is touched."""
    network = fill(fake, 1)
    foreign = fake.add('server', 'theirs')
    router = fake.add('router', 'their-router')
    ports = [
        fake.add('port', network_id=network, device_id=foreign.id, device_owner='compute:nova'),
        fake.add('port', network_id=network, device_id=router.id, device_owner='network:router_interface'),
    ]
    result = worker(fake, timeout=20).execute()
    assert {port.id for port in ports} <= set(fake.kinds['port'])
    assert 'theirs' in fake.names('server')
    assert [left.kind for left in result.kept] == ['subnet', 'network']
    assert 'goes with its network' in result.kept[0].reason
    assert 'in use by' in result.kept[1].reason


def test_a_preview_says_what_stays_and_why(fake: FakeCloud) -> None:
    network = fill(fake, 1)
    fake.add('server', 'theirs', metadata=OTHER.metadata())
    fake.add('server', f'{P}-node-9')
    fake.add('floating_ip', port_id=None, floating_ip_address='y', fixed_ip_address='')
    fake.add('port', network_id=network, device_id='dhcp-1', device_owner='network:dhcp')
    shown = purge.preview(RUN, inventory.take(fake.cloud))
    reasons = {(k.resource.kind, k.resource.name): k.reason for k in shown.keep}
    assert reasons['server', 'theirs'] == f'run {OTHER.run} of somebody, expires 2026-11-25T12:00:00Z'
    assert reasons['server', f'{P}-node-9'] == "named like the run's, without its mark"
    assert reasons['floating_ip', 'y'] == 'no mark of the run'
    assert reasons['port', ''] == 'goes with its owner (network:dhcp)'
    assert len(shown.delete) == 9
    assert not {(o.resource.kind, o.resource.id) for o in shown.delete} & {
        (k.resource.kind, k.resource.id) for k in shown.keep
    }


def test_what_was_not_asked_for_is_kept_with_that_reason(fake: FakeCloud) -> None:
    fake.add('server', f'{P}-c0-abc')
    shown = purge.preview(RUN, inventory.take(fake.cloud), purge.nodes_only)
    assert [k.reason for k in shown.keep] == ['not asked for: name of a cluster of the run']


def test_a_service_that_cannot_be_listed_keeps_nobody_from_deleting(fake: FakeCloud) -> None:
    fill(fake, 1)
    fake.faults = [Fault('list load_balancer', 403, 10**6, text='not allowed')]
    result = worker(fake).execute()
    assert fake.names('server') == []
    assert result.kept == ()
    assert list(result.unproven) == ['load_balancer']
    problem = stages.leftover_problem(result, RUN, 'fake')
    assert isinstance(problem, CredentialProblem)
    assert 'cannot prove that nothing of run' in str(problem)
    assert 'not allowed' in str(problem)


def test_a_cloud_that_shows_nothing_at_all_is_an_error(fake: FakeCloud) -> None:
    fake.faults = [Fault(f'list {kind.name}', 401, 10**6, text='token expired') for kind in inventory.KINDS]
    with pytest.raises(Problem, match='token expired'):
        worker(fake).execute()


def test_what_is_forbidden_is_not_asked_for_until_the_deadline(fake: FakeCloud) -> None:
    fill(fake, 1)
    fake.faults = [Fault('delete key_pair', 403, 10**6, text='policy')]
    result = worker(fake).execute()
    assert [(left.kind, left.reason) for left in result.kept] == [('key_pair', 'HTTP 403: policy')]
    assert fake.calls['delete key_pair'] == 1
    assert fake.clock.time < 30
    assert isinstance(stages.leftover_problem(result, RUN, 'fake'), LeftoversProblem)


def test_the_credential_of_the_login_itself_is_left_and_told(fake: FakeCloud) -> None:
    own = fake.add('application_credential', f'{P}-credential', description=MARK.description())
    other = fake.add('application_credential', 'theirs')
    cloud = Cloud('fake', fake.cloud.sdk, fake.cloud.project_id, fake.cloud.user_id, frozenset(), own.id)
    result = purge.Purge(cloud, RUN, say=lambda *_: None, clock=fake.clock).execute()
    assert set(fake.kinds['application_credential']) == {own.id, other.id}
    assert 'who made it revokes it' in result.kept[0].reason
    assert fake.calls['delete application_credential'] == 0


def test_a_server_that_never_goes_delays_its_network_and_both_are_told(fake: FakeCloud) -> None:
    fill(fake, 1)
    fake.faults = [Fault('delete server', 409, 10**6, text='locked')]
    result = worker(fake, timeout=30).execute()
    assert {'server', 'network'} <= {left.kind for left in result.kept}
    # the router's port went; that of the server is Nova's to delete
    assert [port.device_owner for port in fake.kinds['port'].values()] == ['compute:nova']


def test_changes_of_others_meanwhile_are_told_apart(fake: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(fake, 2)
    gone = fake.add('server', 'theirs')
    original = fake.remove

    def remove(kind: str, identity: str) -> None:
        original(kind, identity)
        if kind == 'key_pair':
            del fake.kinds['server'][gone.id]
            fake.add('volume', 'new-one')

    monkeypatch.setattr(fake, 'remove', remove)
    others = worker(fake).execute().others(RUN)
    assert others
    assert [r.name for r in others.removed] == ['theirs']
    assert [r.name for r in others.added] == ['new-one']


@pytest.fixture
def fake() -> FakeCloud:
    return FakeCloud()


def test_the_command_tells_what_would_go_and_what_would_stay(
    fake: FakeCloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(fake, 1)
    for number in range(5):
        fake.add('volume', f'theirs-{number}')
    fake.services.discard('load-balancer')
    monkeypatch.setattr(connect, 'connect', lambda name: fake.cloud)
    assert main(['purge', '--cloud', 'fake', '--run-id', RUN, '--dry-run']) == 0
    shown = capsys.readouterr().out
    assert f'would delete server {P}-node-0 (server-' in shown
    assert 'would keep 5 volume (theirs-0, theirs-1, theirs-2, …): no mark of the run' in shown
    assert 'not looked at: load_balancer: cloud has no service load-balancer' in shown
    assert '9 resources of run' in shown
    assert main(['purge', '--cloud', 'fake', '--run-id', RUN, '--dry-run', '--yes']) == 2
    assert not [call for call in fake.calls if call.startswith('delete')]
