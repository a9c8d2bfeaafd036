"""Flavors and images are what the SCS standards demand."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from scs_sandbox.cloud import content
from scs_sandbox.lifecycle import Wish

pytestmark = pytest.mark.unit
SYSTEM = content.System('debian', '12', 'Debian 12', 'debian', 'x86_64')
MANDATORY_IMAGE_PROPERTIES = {
    'architecture',
    'min_disk',
    'min_ram',
    'os_version',
    'os_distro',
    'hw_disk_bus',
    'replace_frequency',
    'uuid_validity',
    'provided_until',
    'image_source',
    'image_description',
    'image_build_date',
    'image_original_user',
}


@pytest.mark.parametrize(
    ('name', 'vcpus', 'ram', 'disk', 'cpu', 'disk_type'),
    [
        ('SCS-2V-4-20s', 2, 4096, 20, 'shared-core', 'ssd'),
        ('SCS-1L-1', 1, 1024, 0, 'crowded-core', None),
        ('SCS-4V-16-50', 4, 16384, 50, 'shared-core', 'network'),
    ],
)
def test_flavor_is_what_its_name_says(
    name: str, vcpus: int, ram: int, disk: int, cpu: str, disk_type: str | None
) -> None:
    flavor = content.flavor(name)
    assert (flavor.vcpus, flavor.ram, flavor.disk) == (vcpus, ram, disk)
    assert flavor.extra_specs['scs:cpu-type'] == cpu
    assert flavor.extra_specs['scs:name-v2'] == name
    assert flavor.extra_specs.get('scs:disk0-type') == disk_type


def test_flavor_of_no_scs_name_is_refused() -> None:
    with pytest.raises(ValueError, match='m1.small'):
        content.flavor('m1.small')


def test_only_two_of_the_mandatory_flavors_have_a_disk() -> None:
    mandatory = [content.flavor(name) for name in content.FLAVOR_NAMES[:15]]
    assert [f.name for f in mandatory if f.disk] == ['SCS-4V-16-100s', 'SCS-2V-4-20s']


def test_images_have_every_mandatory_property() -> None:
    images = [content.plain_image(SYSTEM), content.node_image(SYSTEM, 'v1.34.7')]
    assert all(set(image.properties) >= MANDATORY_IMAGE_PROPERTIES for image in images)
    assert [image.properties['os_purpose'] for image in images] == ['generic', 'k8snode']


def test_simulated_parts_are_named() -> None:
    assert content.plain_image(SYSTEM).properties['scs_ci_simulated'] == 'hypervisor'
    assert content.node_image(SYSTEM, 'v1.34.7').properties['scs_ci_simulated'] == 'hypervisor,machine'


def test_a_built_minor_boots_its_machines_and_says_which_patch() -> None:
    machine = content.Machine('1.34.10', 'machine-1.34', ('etcd 3.6.14, as 3.6.5',))
    system = replace(SYSTEM, machines=(machine,))
    exact, other, old = (content.node_image(system, v).properties for v in ('v1.34.10', 'v1.34.7', 'v1.32.5'))
    assert (exact['scs_sandbox_tree'], exact['scs_ci_simulated']) == (
        'machine-1.34',
        'hypervisor,cni,etcd 3.6.14; as 3.6.5',
    )
    assert other['scs_ci_simulated'].startswith('hypervisor,kubernetes patch 1.34.7 -> 1.34.10,cni')
    assert (old['scs_sandbox_tree'], old['scs_ci_simulated']) == ('plain', 'hypervisor,machine')
    bare = content.node_image(replace(SYSTEM, machines=(replace(machine, cni=False, node_ip=False),)), 'v1.34.10')
    assert 'cni' not in bare.properties['scs_ci_simulated'].split(',')
    assert (bare.properties['scs_sandbox_cni'], bare.properties['scs_sandbox_node_ip']) == ('none', 'false')


def test_a_patch_that_is_asked_for_gets_a_node_image() -> None:
    wish = Wish(machines=('1.33', 'v1.34.9', '1.34'))
    assert wish.minors == ('1.33', '1.34')
    assert wish.versions == (*content.KUBERNETES_VERSIONS, 'v1.34.9')
    images = {i['name'] for i in content.document(replace(SYSTEM, versions=wish.versions))['images']}
    assert {'ubuntu-capi-image-v1.34.9', 'ubuntu-capi-image-v1.33.13'} < images
    assert 'ubuntu-capi-image-v1.34.9' not in {i['name'] for i in content.document(SYSTEM)['images']}


def test_at_most_one_generic_image() -> None:
    images = content.document(SYSTEM)['images']
    assert [i['name'] for i in images if i['properties']['os_purpose'] == 'generic'] == ['Debian 12']


def test_document_is_json() -> None:
    assert json.loads(json.dumps(content.document(SYSTEM))) == content.document(SYSTEM)
