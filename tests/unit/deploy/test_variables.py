"""Variables chosen for classes of both spellings."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scs_ci.core.errors import InfrastructureProblem, ProductProblem, UsageProblem
from scs_ci.deploy.variables import (
    CloudChoice,
    Flavor,
    Identity,
    allows,
    choose_flavor,
    find_class,
    identity,
    variables,
    worker_class,
)

pytestmark = pytest.mark.unit

CLOUD = CloudChoice('SCS-2V-4-20s', True, '6f9b0f0a-5a53-4bd5-9d53-1a2b3c4d5e6f')


def cluster_class(required: tuple[str, ...] = (), **schemas: dict[str, Any]) -> dict[str, Any]:
    entries = [
        {'name': name, 'required': name in required, 'schema': {'openAPIV3Schema': schema}}
        for name, schema in schemas.items()
    ]
    return {
        'kind': 'ClusterClass',
        'metadata': {'name': 'openstack-x-1-34-v1'},
        'spec': {'variables': entries, 'workers': {'machineDeployments': [{'class': 'default-worker'}]}},
    }


SCS2 = cluster_class(
    apiServerLoadBalancer={'type': 'string', 'default': 'octavia-ovn'},
    apiServerLoadBalancerOctaviaAmphoraAllowedCIDRs={'type': 'array'},
    controlPlaneRootDisk={'type': 'integer', 'minimum': 0, 'default': 50},
    workerRootDisk={'type': 'integer', 'minimum': 0, 'default': 50},
    controlPlaneFlavor={'type': 'string', 'default': 'SCS-2V-4'},
    workerFlavor={'type': 'string', 'default': 'SCS-4V-8'},
    networkExternalID={'type': 'string', 'format': 'uuid4'},
    identityRef={
        'type': 'object',
        'default': {},
        'properties': {'name': {'type': 'string', 'default': 'openstack'}, 'cloudName': {'type': 'string'}},
    },
)
SCS = cluster_class(
    apiserver_loadbalancer={'type': 'string', 'default': 'octavia-amphora'},
    controller_root_disk={'type': 'integer', 'minimum': 1},
    worker_root_disk={'type': 'integer', 'minimum': 1, 'default': 25},
    controller_flavor={'type': 'string'},
    worker_flavor={'type': 'string'},
    external_id={'type': 'string', 'format': 'uuid4'},
    cloud_name={'type': 'string', 'default': 'openstack'},
    secret_name={'type': 'string', 'default': 'my-secret'},
)


def test_smallest_values_of_scs2() -> None:
    assert variables(SCS2, CLOUD, {}) == {
        'apiServerLoadBalancer': 'none',
        'controlPlaneRootDisk': 0,
        'workerRootDisk': 0,
        'controlPlaneFlavor': CLOUD.flavor,
        'workerFlavor': CLOUD.flavor,
        'networkExternalID': CLOUD.external_network,
    }


def test_smallest_values_of_scs_leave_forbidden_ones_alone() -> None:
    assert variables(SCS, CLOUD, {}) == {
        'apiserver_loadbalancer': 'none',
        'controller_flavor': CLOUD.flavor,
        'worker_flavor': CLOUD.flavor,
        'external_id': CLOUD.external_network,
    }


def test_overrides_win_and_must_exist() -> None:
    assert variables(SCS2, CLOUD, {'workerRootDisk': 30})['workerRootDisk'] == 30
    with pytest.raises(UsageProblem, match='the class has'):
        variables(SCS2, CLOUD, {'workerRotDisk': 30})


def test_required_variables() -> None:
    made = cluster_class(
        ('a', 'b', 'c'), a={'type': 'string', 'example': 'x'}, b={'enum': ['p', 'q']}, c={'default': 1}
    )
    assert variables(made, CLOUD, {}) == {'a': 'x', 'b': 'p'}
    bare = cluster_class(('a',), a={'type': 'string'})
    assert variables(bare, CLOUD, {'a': 'given'}) == {'a': 'given'}
    with pytest.raises(ProductProblem, match='neither default nor example'):
        variables(bare, CLOUD, {})


def test_enum_without_none_keeps_the_load_balancer() -> None:
    made = cluster_class(apiServerLoadBalancer={'type': 'string', 'enum': ['octavia-ovn']})
    assert variables(made, CLOUD, {}) == {}


def test_diskless_flavor_leaves_the_root_volume_to_the_class() -> None:
    values = variables(SCS2, CloudChoice('SCS-2V-4', False), {})
    assert values['workerFlavor'] == 'SCS-2V-4'
    assert 'workerRootDisk' not in values


def test_unknown_cloud_leaves_defaults() -> None:
    assert 'workerFlavor' not in variables(SCS2, CloudChoice(), {})


@pytest.mark.parametrize(
    ('made', 'values', 'wanted'),
    [
        (SCS2, {}, Identity('openstack', 'openstack')),
        (SCS2, {'identityRef': {'name': 's', 'cloudName': 'c'}}, Identity('s', 'c')),
        (SCS, {}, Identity('my-secret', 'openstack')),
        (SCS, {'cloud_name': 'c'}, Identity('my-secret', 'c')),
        (cluster_class(), {}, Identity()),
    ],
)
def test_identity(made: dict[str, Any], values: dict[str, Any], wanted: Identity) -> None:
    assert identity(made, values) == wanted


def test_flavor_is_the_smallest_that_fits() -> None:
    flavors = [
        Flavor('SCS-16V-32-100s', 16, 32768, 100),
        Flavor('SCS-2V-4', 2, 4096, 0),
        Flavor('SCS-1V-8-20', 1, 8192, 20),
        Flavor('SCS-2V-4-20s', 2, 4096, 20),
        Flavor('SCS-2V-4-10', 2, 4096, 10),
        Flavor('SCS-2V-8-20', 2, 8192, 20),
    ]
    assert choose_flavor(flavors).name == 'SCS-2V-4-20s'
    assert choose_flavor(flavors[1:3]).name == 'SCS-2V-4'
    with pytest.raises(InfrastructureProblem, match='none has 2 CPUs'):
        choose_flavor([flavors[2], flavors[4]])


def test_class_is_found_by_name() -> None:
    made = cluster_class()
    assert find_class([{'kind': 'Other', 'metadata': {'name': 'x'}}, made], 'openstack-x-1-34-v1') is made
    assert worker_class(made) == 'default-worker'
    assert worker_class({'spec': {}}) == ''
    with pytest.raises(ProductProblem, match='openstack-x-1-34-v1'):
        find_class([made], 'openstack-x-1-33-v1')


@given(st.integers(-5, 5), st.integers(-5, 5), st.integers(-5, 5))
def test_bounds(value: int, low: int, high: int) -> None:
    assert allows({'minimum': low, 'maximum': high}, value) == (low <= value <= high)
