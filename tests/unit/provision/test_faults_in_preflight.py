"""The table of doc/faults.md about preflight: what the unmodified product says of an imagined cloud that is in trouble,
and that it changes nothing there. What a rule decides is tested in tests/unit/cloud."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest
from cloudsim.identity import ZONE
from cloudsim.wire import Fault
from provision_world import OTHER, RUN, World, world

from scs_ci.cloud import connect, credential
from scs_ci.cloud.marks import Mark
from scs_ci.cloud.model import ClusterWish, FlavorWish, Group, Topology
from scs_ci.core.errors import CredentialProblem, InfrastructureProblem, NetworkProblem, Problem, QuotaProblem

pytestmark = [pytest.mark.unit, pytest.mark.slow]

DISKLESS = Topology((Group(count=2, flavor=FlavorWish(name='SCS-4V-16')),))
BALANCED = Topology((Group(count=2),), ClusterWish(load_balancer=True))
VERSION = 'v1.34.7'


@dataclass(frozen=True)
class Case:
    """break_: what goes wrong; verdict: class of the Problem, None when preflight finds no shortfall."""

    name: str
    break_: Callable[[World], object]
    verdict: type[Problem] | None = None
    words: str = ''
    topology: Topology | None = None


def quota(**limits: int) -> Callable[[World], None]:
    """The project may have this many."""

    def change(one: World) -> None:
        one.cloud.store.settings.quota = dataclasses.replace(one.cloud.store.settings.quota, **limits)

    return change


def fault(**what: object) -> Callable[[World], None]:
    return lambda one: one.cloud.faults.append(Fault(**what))  # type: ignore[arg-type]


def down(service: str) -> Callable[[World], None]:
    return fault(service=service, reset=True, count=10**6)


def cut(one: World) -> None:
    """Of the network for 30 s, after the login."""
    one.cloud.cut = (one.cloud.turns.time + 0.3, one.cloud.turns.time + 30.3)


def expired(one: World) -> None:
    """The token ends when the servers are listed."""

    def watch(line: int, after: bool) -> bool:
        if after and one.cloud.log[line].kind.startswith('GET compute /v2.1/servers'):
            one.cloud.identity.expire()
            one.cloud.killer = lambda _number, _after: False
        return False

    one.cloud.killer = watch


def revoked(one: World) -> None:
    one.cloud.identity.password = 'another'


def nameless(one: World) -> None:
    one.cloud.nameless.add(f'nova.{ZONE}')


def late_clock(one: World) -> None:
    one.cloud.turns.jump = -3600.0


CASES = (
    Case('nothing is wrong', lambda one: None),
    Case('quota of servers', quota(servers=3), QuotaProblem, 'servers: need 2, have 0 (used 3 of 3)'),
    Case('quota of floating IPs', quota(floating_ips=4), QuotaProblem, 'floating IPs: need 2, have 1 (used 3 of 4)'),
    Case('quota of ports', quota(ports=6), QuotaProblem, 'ports: need'),
    Case('quota of volumes', quota(volumes=1), QuotaProblem, 'volumes: need 2, have 1 (used 0 of 1)', DISKLESS),
    Case('quota of load balancers', quota(load_balancers=1), QuotaProblem, 'load balancers: need 1, have 0', BALANCED),
    Case('some 503', fault(status=503, count=3, service='compute|network|load-balancer')),
    Case(
        'rate limit',
        fault(status=429, service='compute|network', rate=(5, 1.0), count=10**6, headers={'Retry-After': '1'}),
    ),
    Case('slow API', fault(delay=1.0, count=10**6)),
    Case('network cut for 30 s', cut),
    Case('expired token in the middle', expired),
    Case('Nova is down', down('compute'), NetworkProblem, 'cannot list server objects'),
    Case('Neutron is down', down('network'), NetworkProblem, 'cannot list port objects'),
    Case('Glance is down', down('image'), NetworkProblem, 'cannot list image objects'),
    Case('Cinder is down', down('block-storage'), NetworkProblem, 'cannot list volume objects'),
    Case('Octavia is down', down('load-balancer'), NetworkProblem, 'cannot list load_balancer objects'),
    Case('Keystone is down', down('identity'), NetworkProblem, 'cannot reach cloud cloudsim'),
    Case('password revoked', revoked, CredentialProblem, 'cannot log in to cloud cloudsim'),
    Case('a name that nobody knows', nameless, NetworkProblem, f'name nova.{ZONE}: '),
    Case('our clock is an hour late', late_clock, InfrastructureProblem, 'behind service'),
)


@pytest.mark.parametrize('case', CASES, ids=lambda case: case.name)
def test_the_table(tmp_path: Path, case: Case) -> None:
    with world(tmp_path) as one:
        one.cloud.images.add(f'ubuntu-capi-image-{VERSION}', {})
        before = one.cloud.store.everything()
        case.break_(one)
        versions = (VERSION,) if case.topology is BALANCED else ()
        if case.verdict:
            with pytest.raises(case.verdict) as caught:
                raise one.preflight(case.topology, versions).problem() or AssertionError('no shortfall')
            assert case.words in str(caught.value)
        else:
            assert one.preflight(case.topology, versions).shortfalls == ()
        assert one.cloud.store.everything() == before
        assert not [kind for kind in one.cloud.calls() if not kind.startswith(('GET', 'POST identity'))]


def test_a_cloud_without_names_is_asked_for_nothing_but_the_login(tmp_path: Path) -> None:
    with world(tmp_path) as one:
        nameless(one)
        found = one.preflight()
        assert [row.subject for row in found.shortfalls] == [f'name nova.{ZONE}']
        assert {kind.split()[1] for kind in one.cloud.calls()} == {'identity'}


def test_every_shortfall_is_told_with_who_holds_what(tmp_path: Path) -> None:
    with world(tmp_path) as one:
        quota(servers=3, floating_ips=3, ports=6)(one)
        short = {row.subject: row.holders for row in one.preflight().shortfalls}
        assert set(short) == {'servers', 'floating IPs', 'ports'}
        assert f'run {OTHER} of ci until 2199-01-01T00:00:00Z: 2 ports' in short['ports']
        assert 'somebody without a mark (server somebody): 1 port' in short['ports']
        assert 'somebody without a mark, idle: 2 floating ips' in short['floating IPs']


def test_the_runs_own_credential_is_enough_until_it_is_revoked(tmp_path: Path) -> None:
    """As the plane host has it: Keystone answers 404 for one that is gone, which says nothing about the project."""
    with world(tmp_path) as one:
        login, file = connect.connect('cloudsim'), tmp_path / 'credential/clouds.yaml'
        wish = credential.Wish(Mark(RUN, 'ci', '2199-01-01T00:00:00Z'), file, 3600.0)
        another = dataclasses.replace(wish, mark=Mark(OTHER, 'ci', wish.mark.expires), file=tmp_path / 'another.yaml')
        made = credential.present(login, wish, clock=one.cloud.turns)
        copy = tmp_path / 'copy.yaml'
        copy.write_text(file.read_text())
        with mock.patch.dict('os.environ', {'OS_CLIENT_CONFIG_FILE': str(copy)}):
            assert one.preflight().shortfalls == ()
            own = connect.connect('cloudsim')
            assert own.credential_id == made.id
            why = credential.present_or_why_not(own, another, clock=one.cloud.turns)
            assert why == 'the login is a restricted application credential, which can make no other'
            with pytest.raises(CredentialProblem, match='not allowed for managing additional'):
                credential.present(own, another, clock=one.cloud.turns)
            assert credential.absent(login, RUN, file, clock=one.cloud.turns) == [made.id]
            with pytest.raises(CredentialProblem, match='404'):
                one.preflight()
        assert one.left() == set()
