"""The table of doc/faults.md about clouds: each fault with the verdict it has, what a second call makes of it, and
that a purge leaves nothing of the run and touches nothing of others."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import scenario
from cloudsim.probe import Probe
from cloudsim.wire import Fault
from provision_world import RUN, World, world

from scs_ci.cloud import connect
from scs_ci.cloud.model import FlavorWish, Group, Topology
from scs_ci.core.errors import BootProblem, CapacityProblem, CredentialProblem, NetworkProblem, Problem, QuotaProblem

pytestmark = [pytest.mark.unit, pytest.mark.slow]

APART = Topology((Group(count=2, server_group='anti-affinity'),))
DISKLESS = Topology((Group(count=2, flavor=FlavorWish(name='SCS-4V-16')),))
SERVERS, ADDRESSES = '/servers$', '/floatingips$'
CREATED = ('/servers$', '/os-keypairs$', '/networks$', '/subnets$', '/routers$', '/security-groups$',
           '/security-group-rules$', '/floatingips$')  # fmt: skip


@dataclass(frozen=True)
class Case:
    """break_: what goes wrong; verdict: class of the Problem, None when the call succeeds in spite of it.

    mend: what ends the fault before the second call.
    """

    name: str
    break_: Callable[[World], object]
    verdict: type[Problem] | None = None
    words: str = ''
    topology: Topology | None = None
    mend: Callable[[World], object] = field(default=lambda one: one.cloud.faults.clear())


def quota(**limits: int) -> Callable[[World], None]:
    """The project may have no more than it has now and so many beside."""

    def change(one: World) -> None:
        kinds = {
            'servers': 'server',
            'floating_ips': 'floatingip',
            'ports': 'port',
            'networks': 'network',
            'volumes': 'volume',
        }
        for name, more in limits.items():
            setattr(one.cloud.store.settings.quota, name, one.cloud.store.mine(kinds[name]) + more)

    return change


def roomy(one: World) -> None:
    """The quota is raised again."""
    one.cloud.store.settings.quota = type(one.cloud.store.settings.quota)()


def fault(**what: object) -> Callable[[World], None]:
    return lambda one: one.cloud.faults.append(Fault(**what))  # type: ignore[arg-type]


def machinery(**what: object) -> Callable[[World], None]:
    def change(one: World) -> None:
        for name, value in what.items():
            setattr(one.cloud.store.troubles, name, value)

    return change


def healed(one: World) -> None:
    one.cloud.store.troubles = type(one.cloud.store.troubles)()


def cut(first: float, last: float) -> Callable[[World], None]:
    def change(one: World) -> None:
        one.cloud.cut = (one.cloud.turns.time + first, one.cloud.turns.time + last)

    return change


def during(call: str, event: Callable[[World], object]) -> Callable[[World], None]:
    """Let it happen when the first call of that kind arrives."""

    def change(one: World) -> None:
        def watch(line: int, after: bool) -> bool:
            if after and not happened and one.cloud.log[line].kind == call:
                happened.append(line)
                event(one)
            return False

        happened: list[int] = []
        one.cloud.killer = watch

    return change


def scarce(one: World) -> None:
    """One free external address."""
    one.cloud.store.settings.quota.addresses = len(one.cloud.store.of('floatingip')) + 1


def booting(seconds: float) -> Callable[[World], None]:
    def change(one: World) -> None:
        one.cloud.store.settings.boot = seconds

    return change


def later(seconds: float) -> Callable[[World], None]:
    return lambda one: one.cloud.turns.sleep(seconds)


def password(word: str) -> Callable[[World], None]:
    """The cloud accepts no other."""

    def change(one: World) -> None:
        one.cloud.identity.password = word

    return change


def few_hosts(one: World) -> None:
    one.cloud.store.settings.hosts = 1


def many_hosts(one: World) -> None:
    one.cloud.store.settings.hosts = 3


def tomorrow(one: World) -> None:
    one.cloud.turns.jump = 86400.0


CASES = (
    Case('quota of servers', quota(servers=1), QuotaProblem, 'Quota exceeded for instances', mend=roomy),
    Case('quota of floating IPs', quota(floating_ips=1), QuotaProblem, 'floatingip', mend=roomy),
    Case('quota of ports', quota(ports=1), QuotaProblem, 'ports exceeded', mend=roomy),
    Case('quota of networks', quota(networks=0), QuotaProblem, 'network', mend=roomy),
    Case('quota of volumes', quota(volumes=1), QuotaProblem, 'volumes', DISKLESS, roomy),
    Case('no external address is free', scarce, QuotaProblem, 'No more IP addresses', mend=roomy),
    Case(
        'quota eaten in between',
        during('POST compute /v2.1/servers', quota(servers=0)),
        QuotaProblem,
        'instances',
        mend=roomy,
    ),
    Case('no valid host anywhere', machinery(full=[('', '')]), CapacityProblem, 'No valid host', mend=healed),
    Case('build error', machinery(spawn_error='^scs-ci'), BootProblem, 'aborted', mend=healed),
    Case('two hosts fail, the third boots', machinery(spawn_error='^scs-ci', bad_hosts=2)),
    Case(
        'every host fails',
        machinery(spawn_error='^scs-ci', bad_hosts=3),
        CapacityProblem,
        'Exceeded maximum number of retries',
        mend=healed,
    ),
    Case('more servers apart than hosts', few_hosts, CapacityProblem, 'No valid host', APART, mend=many_hosts),
    Case('slow boot', booting(60.0)),
    Case('boot later than the limit', booting(300.0), BootProblem, 'BUILD', mend=later(300.0)),
    Case('errors, then success', fault(status=503, count=3, service='compute')),
    Case('errors at the first contact', fault(status=503, count=3, service='network|image')),
    Case(
        'rate limit',
        fault(status=429, service='compute|network', rate=(5, 1.0), count=10**6, headers={'Retry-After': '1'}),
    ),
    Case('slow API', fault(delay=1.0, count=10**6)),
    *(Case(f'lost answer of POST {path}', fault(method='POST', path=path, status=504, after=True)) for path in CREATED),
    *(Case(f'connection reset before POST {path}', fault(method='POST', path=path, reset=True)) for path in CREATED),
    *(
        Case(f'connection reset after POST {path}', fault(method='POST', path=path, reset=True, after=True))
        for path in CREATED
    ),
    Case('lost answer of the interface', fault(method='PUT', path='add_router_interface', status=504, after=True)),
    Case('volume error', machinery(volume_error='^scs-ci'), BootProblem, 'volume', DISKLESS, healed),
    Case('no room for a volume', machinery(capacity=1), BootProblem, 'volume', DISKLESS, healed),
    Case('Cinder is down', fault(service='block-storage', reset=True, count=10**6), NetworkProblem, '', DISKLESS),
    Case('Glance is down', fault(service='image', reset=True, count=10**6), NetworkProblem),
    Case('Keystone is down', fault(service='identity', reset=True, count=10**6), NetworkProblem, 'cannot reach'),
    Case('Nova is down', fault(service='compute', reset=True, count=10**6), NetworkProblem),
    Case('Neutron is down', fault(service='network', reset=True, count=10**6), NetworkProblem),
    Case('password revoked', password('another'), CredentialProblem, mend=password('secret')),
    Case('expired token in the middle', during('POST compute /v2.1/servers', lambda one: one.cloud.identity.expire())),
    Case('network cut for 30 s in the middle', cut(2.0, 32.0)),
    Case('clock jumps by a day', during('POST compute /v2.1/servers', tomorrow)),
)


@pytest.mark.parametrize('case', CASES, ids=lambda case: case.name)
def test_the_table(tmp_path: Path, case: Case) -> None:
    with world(tmp_path) as one:
        case.break_(one)
        if case.verdict:
            with pytest.raises(case.verdict) as caught:
                one.provision(topology=case.topology)
            assert case.words in str(caught.value)
        else:
            assert len(one.provision(topology=case.topology).nodes) == 2
        case.mend(one)
        result = one.provision(topology=case.topology)
        assert sorted(server['name'] for server in one.own('server')) == sorted(node.name for node in result.nodes)
        assert len(one.own('floatingip')) == 2
        assert one.purge().kept == ()
        assert one.left() == set()
        assert one.missing() == frozenset()


@pytest.mark.parametrize('case', [case for case in CASES if case.verdict], ids=lambda case: case.name)
def test_a_purge_after_the_failure_leaves_nothing(tmp_path: Path, case: Case) -> None:
    with world(tmp_path) as one:
        case.break_(one)
        with pytest.raises(case.verdict or Problem):
            one.provision(topology=case.topology)
        case.mend(one)
        assert one.purge().kept == ()
        assert one.left() == set()
        assert one.missing() == frozenset()


@pytest.mark.parametrize(
    'trouble',
    [
        fault(method='DELETE', status=409, count=20),
        fault(method='DELETE', status=503, count=3),
        fault(method='DELETE', status=504, count=3, after=True),
        fault(method='DELETE', reset=True, count=3),
        fault(status=429, service='compute|network', rate=(5, 1.0), count=10**6, headers={'Retry-After': '1'}),
        machinery(destroy_error='^scs-ci'),
        cut(1.0, 31.0),
        during('DELETE compute /v2.1/servers/*', lambda one: one.cloud.identity.expire()),
    ],
    ids=['409', '503', 'lost answers', 'reset', '429', 'failing delete', 'cut for 30 s', 'expired token'],
)
def test_a_purge_gets_through(tmp_path: Path, trouble: Callable[[World], object]) -> None:
    with world(tmp_path) as one:
        one.provision()
        trouble(one)
        assert one.purge().kept == ()
        assert one.left() == set()
        assert one.missing() == frozenset()


def test_a_stuck_deletion_is_named_and_goes_later(tmp_path: Path) -> None:
    with world(tmp_path) as one:
        one.provision()
        machinery(destroy_hang='node-0$', stuck=500.0)(one)
        left = one.purge(timeout=60.0).kept
        assert {'server', 'network'} <= {item.kind for item in left}
        assert all(item.reason for item in left)
        one.cloud.turns.sleep(500.0)
        assert one.purge().kept == ()
        assert one.left() == set()
        assert one.missing() == frozenset()


def test_a_volume_whose_deletion_fails_is_deleted_again(tmp_path: Path) -> None:
    with world(tmp_path) as one:
        one.provision()
        sdk, mark = (
            connect.connect('cloudsim').sdk,
            scenario.request(tmp_path, RUN, one.cloud.turns, Probe(one.cloud)).mark,
        )
        sdk.block_storage.create_volume(name='scs-ci-data', size=1, metadata=mark.metadata())
        one.cloud.turns.sleep(5.0)
        machinery(volume_destroy_error='^scs-ci')(one)
        assert one.purge().kept == ()
        assert one.cloud.calls()['DELETE block-storage /v3/volumes/*'] == 2
        assert one.left() == set()
        assert one.missing() == frozenset()


def test_a_stuck_load_balancer_is_named_and_goes_later(tmp_path: Path) -> None:
    with world(tmp_path) as one:
        node = one.provision(1).nodes[0]
        prefix = node.name.removesuffix('-node-0')
        item = one.cloud.balancers.add(f'kube_service_{prefix}-c0_default_web', 'PENDING_UPDATE')
        left = one.purge(timeout=60.0).kept
        assert [(i.kind, i.id) for i in left] == [('load_balancer', item['id'])]
        item['provisioning_status'] = 'ACTIVE'
        assert one.purge().kept == ()
        assert one.left() == set()
        assert one.missing() == frozenset()


def test_the_same_run_twice_at_once(tmp_path: Path) -> None:
    with world(tmp_path) as one:
        outcomes = together(one, [lambda: one.provision(), lambda: one.provision()])
        assert any(outcome is None for outcome in outcomes), outcomes
        result = one.provision()
        assert sorted(server['name'] for server in one.own('server')) == sorted(node.name for node in result.nodes)
        assert one.purge().kept == ()
        assert one.left() == set()


def test_two_runs_at_once_do_not_see_each_other(tmp_path: Path) -> None:
    third = '7f3a1b2c-5d70-4000-8000-000000000003'
    with world(tmp_path) as one:
        one.provision(run=third)
        outcomes = together(one, [lambda: one.provision(), lambda: one.purge(third)])
        assert outcomes == [None, None]
        assert len(one.provision().nodes) == 2
        assert one.own('server', third) == []
        assert one.purge().kept == ()
        assert one.left() == set()
        assert one.missing() == frozenset()


def together(one: World, works: list[Callable[[], object]]) -> list[BaseException | None]:
    """Run them at the same time; what each raised."""
    with concurrent.futures.ThreadPoolExecutor(len(works)) as pool:
        return [future.exception() for future in [pool.submit(work) for work in works]]
