"""python -m scs_sandbox.services.content -- fill a fresh cloud: flavors, images, external network, volume type, quotas.

Standard input: {"auth": {...}, "region": name, "content": cloud.content.document()}; the cloud is asked like any
other, by openstacksdk.
"""

from __future__ import annotations

import io
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openstack


def fill(cloud: Any, content: dict[str, Any]) -> None:
    """Everything of the document, which holds no objects that exist already: the cloud is new."""
    with ThreadPoolExecutor(4) as pool:
        jobs = [
            pool.submit(_flavors, cloud, content['flavors']),
            pool.submit(_external, cloud, content['external']),
            pool.submit(_volume_type, cloud, content['volume_type']),
            pool.submit(_quotas, cloud, content['quotas']),
        ]
        jobs += [pool.submit(_image, cloud, image, content['image_bytes']) for image in content['images']]
        for job in jobs:
            job.result()


def _flavors(cloud: Any, flavors: list[dict[str, Any]]) -> None:
    for wanted in flavors:
        flavor = cloud.compute.create_flavor(
            name=wanted['name'], ram=wanted['ram'], vcpus=wanted['vcpus'], disk=wanted['disk'], is_public=True
        )
        cloud.compute.create_flavor_extra_specs(flavor, wanted['extra_specs'])


def _image(cloud: Any, wanted: dict[str, Any], size: int) -> None:
    image = cloud.image.create_image(
        name=wanted['name'], disk_format='raw', container_format='bare', visibility='public', **wanted['properties']
    )
    image.data = io.BytesIO(b'\0' * size)
    answer = image.upload(cloud.image)
    openstack.exceptions.raise_from_response(answer)


def _external(cloud: Any, wanted: dict[str, Any]) -> None:
    network = cloud.network.create_network(
        name=wanted['name'],
        is_router_external=True,
        provider_network_type='flat',
        provider_physical_network='public',
        is_shared=False,
    )
    cloud.network.create_subnet(
        name=wanted['name'],
        network_id=network.id,
        ip_version=4,
        cidr=wanted['cidr'],
        is_dhcp_enabled=False,
        gateway_ip=wanted['gateway'],
        allocation_pools=[{'start': wanted['start'], 'end': wanted['end']}],
    )


def _volume_type(cloud: Any, wanted: dict[str, str]) -> None:
    cloud.block_storage.create_type(name=wanted['name'], extra_specs={'volume_backend_name': wanted['backend']})


def _quotas(cloud: Any, wanted: dict[str, Any]) -> None:
    for name in wanted['projects']:
        project = cloud.identity.find_project(name, ignore_missing=False)
        cloud.set_compute_quotas(project.id, **wanted['compute'])
        cloud.set_network_quotas(project.id, **wanted['network'])
        cloud.set_volume_quotas(project.id, **wanted['volume'])


def main() -> None:
    order = json.load(sys.stdin)
    cloud = openstack.connect(
        auth=order['auth'],
        region_name=order['region'],
        identity_api_version='3',
        load_yaml_config=False,
        load_envvars=False,
    )
    fill(cloud, order['content'])


if __name__ == '__main__':
    main()
