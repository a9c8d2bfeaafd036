"""Objects for the management cluster, and what they are made of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from scs_ci.cli.deploy import cloud_entry
from scs_ci.core.errors import ProductProblem, ToolProblem, UsageProblem
from scs_ci.core.records import PlannedVersion
from scs_ci.deploy import objects
from scs_ci.deploy.render import documents
from scs_ci.deploy.stage import class_archive

pytestmark = pytest.mark.unit

VERSION = PlannedVersion(
    'openstack-scs2-1-34', 'providers/openstack/scs2', 'openstack', 'scs2', 'v1.34.7', 'A', 'all', ('deploy',)
)
FACTS = {'tag': 'openstack-scs2-1-34-v0-sha-azlfam7', 'version': 'v0-sha.azlfam7'}
RELEASE = objects.release_from(VERSION, FACTS)
CLOUD = {'auth': {'auth_url': 'https://c/v3', 'password': 'geheimnis'}}


def test_names_of_a_release() -> None:
    assert RELEASE.class_name == 'openstack-scs2-1-34-v0-sha.azlfam7'
    assert RELEASE.stack_object == 'openstack-scs2-1-34'
    with pytest.raises(ToolProblem, match='lacks tag and version'):
        objects.release_from(VERSION, {})


def test_cluster_stack_takes_this_release_only() -> None:
    spec = objects.cluster_stack('ns', RELEASE)['spec']
    assert spec == {
        'provider': 'openstack',
        'name': 'scs2',
        'kubernetesVersion': '1.34',
        'channel': 'custom',
        'autoSubscribe': False,
        'noProvider': True,
        'versions': ['v0-sha.azlfam7'],
    }


def test_cluster_is_the_smallest() -> None:
    topology = objects.cluster('ns', 'c0', RELEASE, {'b': 1, 'a': 2}, 'default-worker')['spec']['topology']
    assert topology['version'] == 'v1.34.7'
    assert topology['controlPlane'] == {'replicas': 1}
    assert topology['workers'] == {'machineDeployments': [{'class': 'default-worker', 'name': 'md-0', 'replicas': 1}]}
    assert topology['variables'] == [{'name': 'a', 'value': 2}, {'name': 'b', 'value': 1}]
    assert 'workers' not in objects.cluster('ns', 'c0', RELEASE, {}, '')['spec']['topology']


def test_credentials() -> None:
    secret = objects.credentials('ns', 'openstack', 'mine', CLOUD, 'PEM')
    assert yaml.safe_load(secret['stringData']['clouds.yaml']) == {'clouds': {'mine': CLOUD}}
    assert secret['stringData']['cacert'] == 'PEM'
    inner, resources = objects.workload_credentials('ns', 'mine', CLOUD)
    assert json.loads(inner['stringData']['secret.json'])['metadata'] == {
        'name': 'clouds-yaml',
        'namespace': 'kube-system',
    }
    assert resources['spec']['clusterSelector']['matchLabels'] == {'managed-secret': 'clouds-yaml'}


def test_cloud_entry_brings_its_ca_along(tmp_path: Path) -> None:
    (tmp_path / 'ca.pem').write_text('PEM')
    clouds = tmp_path / 'clouds.yaml'
    clouds.write_text(yaml.safe_dump({'clouds': {'mine': {**CLOUD, 'cacert': str(tmp_path / 'ca.pem')}}}))
    assert cloud_entry(clouds, 'mine') == (CLOUD, 'PEM')
    with pytest.raises(UsageProblem, match='it has mine'):
        cloud_entry(clouds, 'other')


@pytest.mark.parametrize('content', ['[', '- a', 'clouds: {mine: 1}', ''])
def test_bad_clouds_file_is_a_usage_error(tmp_path: Path, content: str) -> None:
    clouds = tmp_path / 'clouds.yaml'
    clouds.write_text(content)
    with pytest.raises(UsageProblem):
        cloud_entry(clouds, 'mine')
    with pytest.raises(UsageProblem, match='No such file'):
        cloud_entry(tmp_path / 'absent', 'mine')


def test_documents_of_a_rendering() -> None:
    good = 'apiVersion: v1\nkind: A\nmetadata: {name: x}\n---\n---\n# only a comment\n'
    assert [obj['kind'] for obj in documents(good, 'a.yaml')] == ['A']


@pytest.mark.parametrize(
    'text', ['a: [', 'just text', 'kind: A\nmetadata: {name: x}', 'apiVersion: v1\nkind: A\nmetadata: x']
)
def test_documents_that_are_no_objects(text: str) -> None:
    with pytest.raises(ProductProblem, match=r'a\.yaml'):
        documents(text, 'a.yaml')


def test_class_archive(tmp_path: Path) -> None:
    with pytest.raises(ToolProblem, match='found none'):
        class_archive(tmp_path, RELEASE)
    archive = tmp_path / 'openstack-scs2-1-34-cluster-class-v0-sha.azlfam7.tgz'
    archive.write_bytes(b'')
    assert class_archive(tmp_path, RELEASE) == archive


@pytest.mark.parametrize(
    ('topology', 'wanted'),
    [
        (objects.Topology(), [('md-0', 1, None)]),
        (objects.Topology(workers=0), []),
        (objects.Topology(3, 3, ('a', 'b')), [('md-0', 2, 'a'), ('md-1', 1, 'b')]),
        (objects.Topology(workers=1, zones=('a', 'b')), [('md-0', 1, 'a')]),
    ],
)
def test_workers_are_spread_over_zones(topology: objects.Topology, wanted: list[tuple[str, int, str | None]]) -> None:
    made = topology.deployments('worker')
    assert [(part['name'], part['replicas'], part.get('failureDomain')) for part in made] == wanted


def test_control_planes_are_as_many_as_asked_for() -> None:
    release = objects.Release('t', 'v0', 'openstack', 'a', '1.34', 'v1.34.1')
    made = objects.cluster('n', 'c', release, {}, '', objects.Topology(control_planes=3))
    assert made['spec']['topology']['controlPlane'] == {'replicas': 3}
    assert 'workers' not in made['spec']['topology']
