"""What is asked of a cloud about a failed cluster, over an SDK that plays."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from scs_ci.cloud.connect import Cloud
from scs_ci.cloud.view import View
from scs_ci.core.errors import Problem

pytestmark = pytest.mark.unit


class Item(SimpleNamespace):
    def to_dict(self, computed: bool = True) -> dict[str, Any]:
        return vars(self)


SERVER = Item(
    id='s1', name='c0-abc', status='ERROR', fault={'message': 'No valid host'}, addresses={'n': [{'a': None}]},
    image={'id': 'i1'},
)  # fmt: skip
OTHER = Item(id='s2', name='d0-abc', status='ACTIVE', fault=None, image=None)
PORT = Item(id='p1', name='', device_id='s1', description='')
ADDRESS = Item(id='f1', name='198.18.1.9', port_id=None, status='DOWN', description='made for c0')


def refuse(*_: Any, **__: Any) -> Any:
    from openstack.exceptions import HttpException

    raise HttpException('no', http_status=503)


def view(**changed: Any) -> View:
    network = {'networks': list, 'subnets': list, 'routers': list, 'security_groups': list, **changed}
    network |= {'ports': lambda: [PORT], 'ips': lambda **_: [ADDRESS]}
    servers = {'s1': SERVER, 's2': OTHER}
    compute = SimpleNamespace(
        servers=lambda details: [SERVER, OTHER],
        find_server=lambda key, ignore_missing: servers.get(key),
        get_server_console_output=lambda key: {'output': f'console of {key}'},
    )
    storage = SimpleNamespace(volumes=lambda details: [])
    sdk = SimpleNamespace(
        compute=compute, network=SimpleNamespace(**network), block_storage=storage,
        endpoint_for=lambda service: 'https://x' if service == 'block-storage' else None,
    )  # fmt: skip
    return View(lambda: Cloud('sandbox', sdk, 'p', 'u', frozenset()))


def test_servers() -> None:
    assert view().server('s1') == {'id': 's1', 'name': 'c0-abc', 'status': 'ERROR', 'fault': 'No valid host'}
    assert (view().server('s2') or {})['fault'] == ''
    assert view().server('s3') is None
    assert view().console('s1') == 'console of s1'


def test_images_say_what_is_simulated_below_a_server() -> None:
    asked = view()
    unset = dict.fromkeys(('status', 'visibility', 'is_hidden', 'min_disk', 'min_ram', 'size', 'created_at'))
    image = SimpleNamespace(
        id='i1', name='n', properties={'scs_ci_simulated': 'a,b'}, to_dict=lambda original_names: {}, **unset
    )
    asked._sdk.image = SimpleNamespace(find_image=lambda key, ignore_missing: {'i1': image}.get(key))
    assert asked.simulated('s1') == ('a', 'b')
    assert asked.simulated('s2') == asked.simulated('s3') == ()


def test_addresses() -> None:
    assert view().address('198.18.1.9') == {'id': 'f1', 'port_id': None, 'status': 'DOWN'}


def test_only_what_bears_the_name_and_the_ports_of_its_servers() -> None:
    found = view().resources('c0')
    assert [item['id'] for items in found.values() for item in items] == ['s1', 'p1', 'f1']
    assert found['servers'][0]['addresses'] == {'n': [{}]}
    assert 'volumes' in found
    assert 'load_balancers' not in found  # the catalog has none


def test_a_kind_that_cannot_be_listed_hides_no_other() -> None:
    found = view(routers=refuse).resources('c0')
    assert 'cannot list routers' in found['routers'][0]['error']
    assert found['servers']


def test_an_error_is_a_problem() -> None:
    broken = view()
    broken._sdk.compute.find_server = refuse
    with pytest.raises(Problem, match='cannot look at'):
        broken.server('s1')
