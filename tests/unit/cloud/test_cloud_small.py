"""Choices, keys, host keys, repeated requests and the translation of errors."""

from __future__ import annotations

import stat
from pathlib import Path
from types import SimpleNamespace

import pytest
from fake_cloud import FakeClock, error
from keystoneauth1.exceptions import ConnectFailure
from openstack.exceptions import NotSupported

from scs_ci.cloud import choose, failures, keys, parallel, retry, ssh, topology
from scs_ci.cloud.model import Flavor, FlavorWish, Image, ImageWish, Topology
from scs_ci.core.errors import (
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

OWN = names('7f3a1b2c-5d6e-4000-8000-000000000001')


def image(name: str, status: str = 'active', hidden: bool = False, created: str = '', **properties: str) -> Image:
    return Image(name, name, status, 'public', hidden, 0, 0, 0, created, properties)


def test_smallest_fitting_flavor_with_a_disk_comes_first() -> None:
    offered = [Flavor('1', 'big', 8, 32768, 100), Flavor('2', 'diskless', 2, 4096, 0), Flavor('3', 'disk', 2, 4096, 20),
               Flavor('4', 'small disk', 2, 4096, 5), Flavor('5', 'tiny', 1, 1024, 20)]  # fmt: skip
    choice = choose.flavors(FlavorWish(vcpus=2, ram=4096, disk=10), offered)
    assert [f.name for f in choice.fitting] == ['disk', 'diskless', 'big']
    assert {r.name: r.reason for r in choice.passed_over} == {'small disk': '5 GB < 10', 'tiny': '1 vCPU < 2'}


def test_flavor_properties_must_be_equal() -> None:
    offered = [
        Flavor('1', 'hdd', 2, 4096, 20, {'scs:disk0-type': 'hdd'}),
        Flavor('2', 'ssd', 4, 8192, 20, {'scs:disk0-type': 'ssd'}),
    ]
    assert choose.flavors(FlavorWish(properties={'scs:disk0-type': 'ssd'}), offered).best.name == 'ssd'


GENERIC = {'os_purpose': 'generic', 'architecture': 'x86_64'}


def test_newest_image_of_the_first_distribution() -> None:
    offered = [
        image('Debian 12', os_distro='debian', os_version='12', **GENERIC),
        image('Debian 13', os_distro='debian', os_version='13', **GENERIC),
        image('Debian 14', 'saving', os_distro='debian', os_version='14', **GENERIC),
        image('Ubuntu 26.04', os_distro='ubuntu', os_version='26.04', **GENERIC),
        image('old', hidden=True, os_distro='debian', os_version='15', **GENERIC),
        image('older', os_distro='debian', os_version='16', os_purpose='oldgeneric', architecture='x86_64'),
        image('capi', os_distro='ubuntu', os_purpose='k8snode', architecture='x86_64'),
    ]
    assert [i.name for i in choose.images(ImageWish(), offered).fitting] == ['Debian 13', 'Debian 12', 'Ubuntu 26.04']


def test_cluster_images_by_their_very_name() -> None:
    name = 'ubuntu-capi-image-v1.34.7'
    assert choose.named_image(name, [image(name, hidden=True)]).name == name
    for offered, match in (
        ([], 'there is none'),
        ([image(name, 'queued')], 'status queued'),
        ([image(name), image(name)], '2 active'),
    ):
        with pytest.raises(ImageProblem, match=match):
            choose.named_image(name, offered)


@pytest.mark.parametrize(
    ('properties', 'user'),
    [({'os_distro': 'ubuntu'}, 'ubuntu'), ({'os_distro': 'debian', 'image_original_user': 'admin'}, 'admin')],
)
def test_login_user(properties: dict[str, str], user: str) -> None:
    assert choose.user_of(image('x', **properties)) == user


def test_generated_key_is_kept_and_private(tmp_path: Path) -> None:
    first = keys.generated(tmp_path / 'keys', OWN)
    assert keys.generated(tmp_path / 'keys', OWN) == first
    assert first.private
    assert stat.S_IMODE(first.private.stat().st_mode) == 0o600
    assert stat.S_IMODE(first.private.parent.stat().st_mode) == 0o700
    assert first.public.split()[0] == 'ssh-ed25519'


def test_given_keys(tmp_path: Path) -> None:
    made = keys.generated(tmp_path, OWN)
    assert keys.given(tmp_path / 'id_ed25519.pub') == made
    for path, match in (
        (tmp_path / 'gone', 'No such file'),
        (tmp_path / 'id_ed25519', 'not in OpenSSH public key format'),
    ):
        with pytest.raises(UsageProblem, match=match):
            keys.given(path)


CONSOLE = """
[   12.3] cloud-init[512]: -----BEGIN SSH HOST KEY KEYS-----
[   12.3] cloud-init[512]: ssh-ed25519 AAAAold root@node
[   12.3] cloud-init[512]: -----END SSH HOST KEY KEYS-----
rebooted
-----BEGIN SSH HOST KEY KEYS-----
ecdsa-sha2-nistp256 AAAAE2Vj+/= root@node
ssh-ed25519 AAAAnew root@node
-----END SSH HOST KEY KEYS-----
node login:
"""


def test_console_keys_are_those_of_the_last_whole_block() -> None:
    assert ssh.console_keys(CONSOLE) == {'ecdsa-sha2-nistp256 AAAAE2Vj+/=', 'ssh-ed25519 AAAAnew'}
    assert ssh.console_keys(CONSOLE[: CONSOLE.rindex('-----END')]) == {'ssh-ed25519 AAAAold'}
    assert ssh.console_keys('') == frozenset()


@pytest.mark.parametrize(
    ('status', 'text', 'kind'),
    [
        (403, 'Quota exceeded for instances', QuotaProblem),
        (409, "Quota exceeded for resources: ['port']", QuotaProblem),
        (413, 'VolumeSizeExceedsAvailableQuota: Requested volume exceeds allowed gigabytes quota', QuotaProblem),
        (409, 'No more IP addresses available on network', QuotaProblem),
        (500, 'No valid host was found', CapacityProblem),
        (403, 'Policy does not allow', CredentialProblem),
        (401, 'expired', CredentialProblem),
        (409, 'in use', InfrastructureProblem),
        (500, 'quota service crashed', InfrastructureProblem),
    ],
)
def test_errors_have_their_class(status: int, text: str, kind: type[Problem]) -> None:
    found = failures.problem('cannot', 'object', error(status, text))
    assert type(found) is kind
    assert text in found.answer
    assert f'HTTP {status}' in found.answer
    assert found.advice


@pytest.mark.parametrize('kind', [ConnectFailure, NotSupported])
def test_unreachable_is_a_network_problem_and_asked_again(kind: type[Exception]) -> None:
    """The SDK has no other word for a service that does not tell its versions, because it does not answer."""
    clock, calls = FakeClock(), []

    def request() -> None:
        calls.append(1)
        raise kind('refused')

    with (
        pytest.raises(NetworkProblem, match='cannot list things: refused'),
        failures.cloud_errors('cannot list', 'things'),
    ):
        retry.reading(request, clock)
    assert len(calls) == len(retry.PAUSES) + 1


def test_other_exceptions_pass_through() -> None:
    with pytest.raises(KeyError), failures.cloud_errors('cannot', 'x'):
        raise KeyError('defect')


def test_reads_are_repeated_a_few_times_only() -> None:
    clock, calls = FakeClock(), []

    def request() -> None:
        calls.append(1)
        raise error(503, 'down')

    with pytest.raises(Exception, match='down'):
        retry.reading(request, clock)
    assert len(calls) == len(retry.PAUSES) + 1
    assert sum(retry.PAUSES) <= clock.time <= sum(retry.PAUSES) * (1 + retry.JITTER)


def test_pauses_differ_so_that_refused_threads_do_not_come_back_together() -> None:
    def request() -> None:
        raise error(503, 'down')

    times = set()
    for _ in range(5):
        clock = FakeClock()
        with pytest.raises(Exception, match='down'):
            retry.reading(request, clock)
        times.add(clock.time)
    assert len(times) == 5


def test_the_cloud_s_wish_for_a_pause_is_kept_and_cut() -> None:
    for wish, least, most in (('7', 7.0, 7 * 1.25), ('9999', retry.LONGEST, retry.LONGEST * 1.25), ('0', 0.0, 0.0)):
        clock, problem = FakeClock(), error(429, 'slow down')
        problem.response = SimpleNamespace(headers={'Retry-After': wish})
        answers: list[Exception | None] = [problem, None]

        def request(answers: list[Exception | None] = answers) -> str:
            if refused := answers.pop(0):
                raise refused
            return 'made'

        assert retry.reading(request, clock) == 'made'
        assert least <= clock.time <= most


def test_nothing_is_repeated_past_the_deadline() -> None:
    clock, calls = FakeClock(), []

    def request() -> None:
        calls.append(1)
        raise error(503, 'down')

    for repeated in (
        lambda limited: retry.reading(request, limited),
        lambda limited: retry.creating(request, lambda: None, limited),
    ):
        calls.clear()
        limit = clock.time + 5
        with pytest.raises(Exception, match='down'):
            repeated(parallel.StoppableClock(clock, deadline=limit))
        assert clock.time <= limit
        assert len(calls) in (2, 3)


@pytest.mark.parametrize('status', [400, 403, 404, 409])
def test_a_plain_refusal_is_not_repeated(status: int) -> None:
    calls = []

    def request() -> None:
        calls.append(1)
        raise error(status, 'no')

    for repeated in (
        lambda: retry.reading(request, FakeClock()),
        lambda: retry.creating(request, lambda: None, FakeClock()),
    ):
        calls.clear()
        with pytest.raises(Exception, match='no'):
            repeated()
        assert len(calls) == 1


def test_a_lost_creation_is_looked_up_and_a_refused_one_is_not() -> None:
    for status, lookups in ((504, 1), (429, 0)):
        looked, answers = [], [error(status, 'x'), None]

        def request(answers: list[Exception | None] = answers) -> str:
            if problem := answers.pop(0):
                raise problem
            return 'made'

        def find(looked: list[int] = looked) -> None:
            looked.append(1)

        assert retry.creating(request, find, FakeClock()) == 'made'
        assert len(looked) == lookups


def test_topologies_from_data(tmp_path: Path) -> None:
    assert topology.parse(None) == Topology()
    content = {
        'groups': [{'count': 2, 'flavor': {'vcpus': 4}, 'image': {'properties': {'os_distro': 'debian'}}}],
        'dns': ['9.9.9.9'],
    }
    wanted = topology.parse(content)
    assert (wanted.groups[0].count, wanted.groups[0].flavor.vcpus, wanted.dns) == (2, 4, ('9.9.9.9',))
    cleaned = topology.without_defaults({'network': None, 'groups': [{'name': 'node', 'flavor': None}]})
    assert topology.parse(cleaned) == Topology()
    for text, match in (
        ('groups: 3', 'not a list'),
        ('flavour: x', "unknown key 'flavour'"),
        ('groups: [', 'cannot parse'),
    ):
        path = tmp_path / 'topology.yaml'
        path.write_text(text)
        with pytest.raises(UsageProblem, match=match):
            topology.load(path)
    with pytest.raises(UsageProblem, match='No such file'):
        topology.load(tmp_path / 'gone.yaml')
