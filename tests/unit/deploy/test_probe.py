"""What a probe measures: gaps between good answers, and that it ends."""

from __future__ import annotations

import itertools

import pytest

from scs_ci.core.clock import SystemClock
from scs_ci.deploy import probe
from scs_ci.deploy.probe import Probe, Sample, measured

pytestmark = pytest.mark.unit


def samples(text: str) -> list[Sample]:
    """One request each half second: '+' good, '-' lost."""
    return [Sample(index / 2, 0.1, sign == '+') for index, sign in enumerate(text)]


@pytest.mark.parametrize(
    ('text', 'lost', 'longest', 'gaps'),
    [
        ('', 0, 0.0, ()),
        ('++++', 0, 0.0, ()),
        ('++-++', 1, 1.0, ((0.6, 1.0, 1),)),
        ('+-+---+', 4, 2.0, ((1.1, 2.0, 3), (0.1, 1.0, 1))),
        ('++--', 2, 1.0, ((0.6, 1.0, 2),)),
        ('--', 2, 0.6, ((0.0, 0.6, 2),)),
    ],
)
def test_gaps(text: str, lost: int, longest: float, gaps: tuple[tuple[float, float, int], ...]) -> None:
    found = measured('workload', samples(text))
    assert (found.sent, found.lost, found.longest_gap, found.gaps) == (len(text), lost, longest, gaps)


def test_a_record_names_the_longest_gaps_only() -> None:
    found = measured('workload', samples('+-' * 30 + '+'))
    assert len(found.gaps) == probe.MOST_GAPS
    assert found.text == 'workload: 30 of 61 requests lost, longest gap 1.0 s'
    assert measured('workload', samples('+')).text == 'workload: 0 of 1 requests lost'


def test_each_target_is_asked_by_itself_until_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, 'PAUSE', 0.001)
    answers = itertools.cycle([True, False])
    asking = Probe({'one': lambda: next(answers), 'two': lambda: True}, SystemClock(), 60)
    asking.start()
    while min(map(len, asking.samples.values())) < 4:
        SystemClock().sleep(0.001)
    one, two = asking.stop()
    assert (one.name, two.name, two.lost) == ('one', 'two', 0)
    assert 0 < one.lost < one.sent
    assert asking.stop()[0].sent == one.sent, 'it went on after its end'


def test_a_probe_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, 'PAUSE', 0.001)
    asking = Probe({'one': lambda: True}, SystemClock(), 0.05)
    asking.start()
    SystemClock().sleep(0.2)
    sent = len(asking.samples['one'])
    SystemClock().sleep(0.05)
    assert len(asking.samples['one']) == sent


def test_the_workload_is_a_careful_one() -> None:
    found = {obj['kind']: obj for obj in probe.workload('i:1')}
    assert found['Deployment']['spec']['replicas'] == 2
    assert found['PodDisruptionBudget']['spec']['minAvailable'] == 1
    assert found['Service']['spec']['type'] == 'LoadBalancer'
    (container,) = found['Deployment']['spec']['template']['spec']['containers']
    assert container['image'] == 'i:1'
    assert 'health :8080' in found['ConfigMap']['data']['Corefile']


def test_image_and_address_are_those_of_the_cluster() -> None:
    spec = {'template': {'spec': {'containers': [{'image': 'r/coredns:1'}]}}}
    dns = {'metadata': {'name': 'coredns', 'labels': {'k8s-app': 'kube-dns'}}, 'spec': spec}
    assert probe.image_of([{'metadata': {'name': 'other'}}, dns]) == 'r/coredns:1'
    assert probe.image_of([]) == ''
    assert probe.address_of({'status': {'loadBalancer': {'ingress': [{'ip': '198.18.1.7'}]}}}) == '198.18.1.7'
    assert probe.address_of({'status': {'loadBalancer': {'ingress': [{'hostname': 'a.example'}]}}}) == 'a.example'
    assert probe.address_of({'status': {}}) == probe.address_of(None) == ''
