"""Upgrades over played objects: what is applied, when they are done, whom a bad end names."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from played import LABELS, NAME, TIME, VERSION, WANTED, Played, management, true, workload

from scs_ci.core.errors import InfrastructureProblem, NetworkProblem, ProductProblem, UsageProblem
from scs_ci.core.outcome import Outcome
from scs_ci.core.records import Plan, Record, RunInfo
from scs_ci.core.run import RunDirectory, run_stage
from scs_ci.deploy import addons, stage, target, upgrade, upgraded, usable
from scs_ci.deploy.objects import Release, cluster_stack
from scs_ci.deploy.probing import Probing
from scs_ci.deploy.variables import CloudChoice
from scs_ci.plane.kube import Refused
from scs_ci.stack.discover import Place, load

pytestmark = pytest.mark.unit
ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = load(ROOT / 'examples/cluster-stacks', Place('providers/openstack/example', 'A'))
OLD, NEW = 'openstack-a-1-34-v0-sha.old', 'openstack-a-1-34-v0-sha.new'
RELEASE = Release('openstack-a-1-34-v0-sha-new', 'v0-sha.new', 'openstack', 'a', '1.34', 'v1.34.1')


def other_minor(stack: Any, minor: int) -> Any:
    stated = dataclasses.replace(stack.kubernetes, text=f'v1.{minor}.2')
    return dataclasses.replace(stack, kubernetes=stated, path=f'{stack.path}-{minor}')


def test_the_next_release_is_of_the_next_minor_or_of_other_content_or_the_same_again() -> None:
    higher, changed = other_minor(EXAMPLE, 35), dataclasses.replace(EXAMPLE, files={**EXAMPLE.files, 'x': b''})
    too_high, lower = other_minor(EXAMPLE, 36), other_minor(EXAMPLE, 33)
    assert target.choose(EXAMPLE, [EXAMPLE, higher]) == target.Target(higher, target.NEXT_MINOR)
    assert target.choose(EXAMPLE, [lower, changed, too_high]) == target.Target(changed, target.OTHER)
    same = target.choose(EXAMPLE, [EXAMPLE])
    assert same.how == target.AGAIN
    assert same.stack.files.keys() - EXAMPLE.files.keys() == {target.MARK}
    with pytest.raises(UsageProblem, match='no openstack/example of this minor or the next, only .*example-36'):
        target.choose(EXAMPLE, [too_high, lower])


def test_of_two_directories_the_one_of_the_same_path_is_meant() -> None:
    copies = [dataclasses.replace(EXAMPLE, path=path, files={**EXAMPLE.files, path: b''}) for path in ('a', 'b')]
    own = dataclasses.replace(EXAMPLE, files={'y': b''})
    assert target.choose(EXAMPLE, [*copies, own]).stack == own
    with pytest.raises(UsageProblem, match='a, b could be meant'):
        target.choose(EXAMPLE, copies)


def test_the_old_version_stays_in_the_cluster_stack() -> None:
    assert cluster_stack('n', RELEASE, ['v0-sha.old'])['spec']['versions'] == ['v0-sha.old', 'v0-sha.new']
    assert cluster_stack('n', RELEASE, ['v0-sha.new'])['spec']['versions'] == ['v0-sha.new']


def test_without_stages_for_upgrades_the_addons_of_a_new_cluster_are_expected() -> None:
    assert addons._stages(EXAMPLE, addons.UPGRADE_HOOK) == ['cluster-addon/cni', 'cluster-addon/ccm']
    first_only = tuple(stage for stage in EXAMPLE.stages if stage.hook == addons.FIRST_HOOK)
    stack = dataclasses.replace(EXAMPLE, stages=first_only)
    assert addons._stages(stack, addons.UPGRADE_HOOK) == ['cluster-addon/cni', 'cluster-addon/ccm']


def live() -> dict[str, Any]:
    return {
        'metadata': {'name': NAME, 'namespace': 'n', 'labels': {'managed-secret': 'clouds-yaml', 'x': 'y'}},
        'spec': {
            'clusterNetwork': {'serviceDomain': 'cluster.local'},
            'controlPlaneEndpoint': {'host': '198.18.1.7', 'port': 6443},
            'topology': {'class': OLD, 'version': 'v1.34.1', 'variables': [{'name': 'a', 'value': 1}]},
        },
    }


def test_only_class_and_version_of_the_cluster_change() -> None:
    change = upgrade.changed(live(), RELEASE)
    assert change['metadata'] == {'name': NAME, 'namespace': 'n', 'labels': {'managed-secret': 'clouds-yaml'}}
    assert change['spec'] == {
        'clusterNetwork': {'serviceDomain': 'cluster.local'},
        'topology': {'class': NEW, 'version': 'v1.34.1', 'variables': [{'name': 'a', 'value': 1}]},
    }


def machine(name: str, kubelet: str = 'v1.34.10') -> dict[str, Any]:
    info = {'nodeInfo': {'kubeletVersion': kubelet}}
    return {'kind': 'Machine', 'metadata': {'name': name, 'labels': LABELS}, 'status': true('NodeHealthy', **info)}


def look(**changes: Any) -> dict[str, Any]:
    played = management()
    reconciled = {'type': 'TopologyReconciled', 'status': 'True', 'observedGeneration': 1}
    cluster = {'metadata': {'name': NAME, 'generation': 1}, 'status': {'conditions': [reconciled]}}
    plane = {**played['KubeadmControlPlane'][0], 'kind': 'KubeadmControlPlane'}
    return {
        'metadata': {'name': NAME}, 'cluster': cluster, 'plane': plane, 'deployments': played['MachineDeployment'],
        'machines': [machine('c'), machine('d')], 'count': 2, 'old': ['a', 'b'], 'replaced': True, 'minor': '1.34',
        'lost': '', 'settled': True,
    } | changes  # fmt: skip


@pytest.mark.parametrize(
    ('changes', 'said'),
    [
        ({'machines': [machine('a'), machine('c')]}, '1 new machines, 1 old ones left'),
        ({'machines': [machine('c')]}, '1 there, 2 wanted'),
        ({'machines': [machine('c'), machine('d', 'v1.33.9')]}, 'kubelet of d v1.33.9, 1.34 wanted'),
        ({'plane': None}, 'absent'),
        ({'deployments': [{'kind': 'MachineDeployment', 'metadata': {'name': 'md'}}]}, '0 of 1 ready'),
        ({'cluster': {'metadata': {'name': NAME, 'generation': 2}}}, 'not looked at yet'),
        ({'settled': False}, 'nothing to replace so far'),
        ({'lost': 'floating IP gone'}, 'floating IP gone'),
    ],
)
def test_when_an_upgrade_is_not_done(changes: dict[str, Any], said: str) -> None:
    state = upgraded.upgraded(look(**changes))
    assert not state.ready
    assert said in state.text
    assert state.failed == ('lost' in changes)


def test_when_an_upgrade_is_done() -> None:
    assert upgraded.upgraded(look()).ready
    # without a roll, old machines may stay
    assert upgraded.upgraded(look(machines=[machine('a'), machine('d')], replaced=False)).ready


class Cloudy(Played):
    """A management cluster that upgrades as soon as it is asked to. address: what the cloud says of the API's."""

    def __init__(self, rolls: bool = True, lost: bool = False) -> None:
        super().__init__(management())
        self.lost, self.rolls, self.applied = lost, rolls, list[dict[str, Any]]()
        reconciled = {'type': 'TopologyReconciled', 'status': 'True', 'observedGeneration': None}
        self.objects['Cluster'] = [{**self.objects['Cluster'][0], **live()}]
        self.objects['Cluster'][0]['spec']['topology'] |= management()['Cluster'][0]['spec']['topology']
        self.objects['Cluster'][0]['status'] = {'conditions': [*true(*usable.CLUSTER)['conditions'], reconciled]}
        self.objects['Machine'] = [machine('a'), machine('b')]
        endpoint = {'spec': {'controlPlaneEndpoint': {'host': '198.18.1.7'}}, 'status': {'ready': True}}
        self.objects['OpenStackCluster'] = [{'metadata': {'name': NAME, 'labels': LABELS}, **endpoint}]
        self.objects['ClusterStackRelease'] = [self._ready(RELEASE.tag)]
        self.objects['ClusterClass'] = [{'metadata': {'name': NEW}, 'status': true('VariablesReconciled')}]

    def _ready(self, name: str) -> dict[str, Any]:
        kinds = ('ClusterStackReleaseDownloaded', 'HelmChartApplied', 'Ready')
        return {'metadata': {'name': name}, 'status': true(*kinds, ready=True)}

    def apply(self, obj: dict[str, Any], dry_run: bool = False) -> dict[str, Any]:
        if not dry_run:
            self.applied.append(obj)
            if 'rollout' in (obj.get('spec') or {}) and self.rolls:
                self.objects['Machine'] = [machine('c'), machine('d')]
                server = {'kind': 'OpenStackServer', 'status': {'instanceID': 'id-of-c'}}
                self.objects['OpenStackServer'] = [{**server, 'metadata': {'name': 'c', 'labels': LABELS}}]
        return obj


class View:
    """A cloud that has the API's floating address or not."""

    def __init__(self, lost: bool) -> None:
        self.lost = lost

    def address(self, address: str) -> dict[str, str] | None:
        return None if self.lost else {'id': 'f', 'port_id': 'p'}

    def server(self, _: str) -> None:
        return None

    def console(self, _: str) -> str:
        return ''

    def simulated(self, server: str) -> tuple[str, ...]:
        return ('hypervisor', f'image of {server}')

    def resources(self, _: str) -> dict[str, Any]:
        return {}


class Workload(Played):
    """The cluster itself; the probed workload is up at once, and its balancer, too."""

    def __init__(self) -> None:
        super().__init__(workload())
        dns = {'k8s-app': 'kube-dns'}
        containers = {'template': {'spec': {'containers': [{'image': 'coredns:1'}]}}}
        coredns = self.objects['Deployment'][0]
        coredns['metadata'] = {'name': 'coredns', 'labels': dns}
        coredns['spec'] |= containers
        self.deleted: list[str] = []

    def apply(self, obj: dict[str, Any], dry_run: bool = False) -> dict[str, Any]:
        ready = {'updatedReplicas': 2, 'availableReplicas': 2, 'loadBalancer': {'ingress': [{'ip': '192.0.2.1'}]}}
        if obj['kind'] in ('Deployment', 'Service'):
            self.objects.setdefault(obj['kind'], []).append({**obj, 'status': ready})
        return obj

    def ready(self) -> bool:
        return True

    def delete(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> bool:
        self.deleted.append(f'{kind} {name}')
        return True


def upgraded_run(
    tmp_path: Path, plane: Cloudy, inside: Workload, until: str = upgrade.USABLE, answers: bool = True, **more: Any
) -> Record:
    """The record of the stage."""
    info = RunInfo('run-one', 'tests', TIME, TIME, 'e2e', '/c', 'abc', 'sandbox')
    run = RunDirectory.create(tmp_path, info)
    version = dataclasses.replace(VERSION, stages=('deploy', 'upgrade'))
    run.write_plan(Plan((version,)))
    run_stage(run, 'deploy', lambda state: state.facts.update(cluster=NAME, until=until, **{'class': OLD}), 'k')

    @contextlib.contextmanager
    def connect(_: str) -> Iterator[Workload]:
        yield inside

    setup = stage.Setup(
        plane, 'n', {}, CloudChoice, lambda *_: [], lambda *_: {},
        patience=0.001, connect=connect, view=View(plane.lost),
    )  # fmt: skip
    kubernetes = dataclasses.replace(EXAMPLE.kubernetes, text=RELEASE.kubernetes)
    stack = dataclasses.replace(EXAMPLE, name=dataclasses.replace(EXAMPLE.name, text='a'), kubernetes=kubernetes)
    wanted = upgrade.Wanted(
        setup=setup,
        current=lambda _: stack,
        offered=lambda: [stack],
        bring=lambda *_: {'tag': RELEASE.tag, 'version': RELEASE.version, 'reference': 'r'},
        addons=lambda _: lambda *_: WANTED,
        probing=Probing(lambda _: answers, lambda *_: answers),
        **more,
    )
    return run_stage(run, 'upgrade', lambda state: upgrade.upgrade(state, version, wanted), 'k')


def test_an_upgrade_to_the_same_content_rolls_all_machines(tmp_path: Path) -> None:
    plane, inside = Cloudy(), Workload()
    record = upgraded_run(tmp_path, plane, inside)
    assert record.outcome is Outcome.PASSED, record.reason
    assert record.facts['to']['how'] == target.AGAIN
    assert record.facts['to']['class'] == NEW
    assert (record.facts['rolled'], record.facts['replaced']) == ('by request', 2)
    assert record.simulated == ('hypervisor', 'image of id-of-c'), 'as the images of the new machines say'
    assert record.facts['probe'] == 'through load balancer http://192.0.2.1/health'
    assert [entry['name'] for entry in record.facts['probes']] == ['workload', 'API server']
    assert [entry['lost'] for entry in record.facts['probes']] == [0, 0]
    steps = [entry['step'] for entry in record.facts['steps']]
    assert steps[:6] == [
        'class dry run', 'release ready', 'class reconciled', 'probe ready', 'class changed', 'machines upgraded',
    ]  # fmt: skip
    assert steps[-1] == 'workloads'
    (stacks,) = [obj for obj in plane.applied if obj['kind'] == 'ClusterStack']
    assert stacks['spec']['versions'] == ['v0-sha.old', 'v0-sha.new']
    assert inside.deleted == ['Namespace scs-ci-probe']


def test_a_lost_address_of_the_api_server_is_the_first_thing_said(tmp_path: Path) -> None:
    plane = Cloudy(rolls=False, lost=True)
    record = upgraded_run(tmp_path, plane, Workload())
    assert record.outcome is Outcome.ERROR
    assert record.verdict == NetworkProblem.verdict
    assert record.reason.startswith(
        f'cannot bring up upgrade of {NAME}: API address 198.18.1.7:6443: its floating IP is gone from the cloud'
    )
    assert 'use a load balancer for the API server' in record.advice
    assert [entry['name'] for entry in record.facts['probes']] == ['workload', 'API server']


def test_machines_that_stay_are_red(tmp_path: Path) -> None:
    record = upgraded_run(tmp_path, Cloudy(rolls=False), Workload())
    assert record.outcome is Outcome.ERROR
    assert '0 new machines, 2 old ones left' in record.reason


def test_a_silent_workload_is_red(tmp_path: Path) -> None:
    record = upgraded_run(tmp_path, Cloudy(), Workload(), answers=False, longest_gap=0.001)
    assert record.outcome is Outcome.FAILED, record.reason
    assert 'workload did not answer for more than 0.001 s during' in record.reason
    assert record.facts['probe'] == 'through the API server: no load balancer'


def test_a_deployment_without_nodes_cannot_be_upgraded(tmp_path: Path) -> None:
    record = upgraded_run(tmp_path, Cloudy(), Workload(), until='server active')
    assert record.outcome is Outcome.ERROR
    assert "its deployment ended at 'server active'" in record.reason


def test_a_cluster_that_is_gone(tmp_path: Path) -> None:
    plane = Cloudy()
    plane.objects['Cluster'] = []
    record = upgraded_run(tmp_path, plane, Workload())
    assert record.verdict == InfrastructureProblem.verdict
    assert f'Cluster {NAME}: it is gone' in record.reason


def test_product_problems_of_the_new_release_stop_before_the_cluster_changes(tmp_path: Path) -> None:
    plane = Cloudy()

    def refuse(obj: dict[str, Any], dry_run: bool = False) -> dict[str, Any]:
        if obj['kind'] == 'Cluster':
            raise Refused('cannot dry-run', 'Cluster', 'variable a is unknown', '', 422)
        return obj

    plane.apply = refuse  # type: ignore[method-assign]
    record = upgraded_run(tmp_path, plane, Workload())
    assert record.verdict == ProductProblem.verdict
    assert 'API server refuses the upgrade of' in record.reason
    assert 'variable a is unknown' in record.reason
