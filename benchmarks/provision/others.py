"""The same work with Ansible's openstack.cloud on the imagined cloud: its module `server`, once per node.

Each call is what one task of a playbook does: a connection of its own, since Ansible starts a process for each. What
starting it costs is not counted: virtual seconds are those of the API.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

from cloudsim.cloud import Cloud
from cloudsim.turns import Executor
from meters import Cost, measure

VERSION = '2.6.0'  # that the wheel of ansible 14.5.0 carries
# Tasks at the same time. serial: a loop; async: all of them, with poll 0; free: forks of strategy free.
WAYS: Mapping[str, int] = {'serial': 1, 'async': 50, 'free, 20 forks': 20}
NETWORK = 'benchmark'
IMAGE, FLAVOR = 'Debian 12', 'SCS-2V-4-20s'


class Done(Exception):
    """The module ended; it would have printed this and left."""


def collection(directory: Path) -> ModuleType:
    """The module `server` of the collection below a directory that holds ansible_collections."""
    manifest = json.loads((directory / 'ansible_collections/openstack/cloud/MANIFEST.json').read_text())
    version = manifest['collection_info']['version']
    if version != VERSION:
        raise SystemExit(f'{directory} has openstack.cloud {version}; the comparison is with {VERSION}')
    sys.path.insert(0, str(directory))
    return importlib.import_module('ansible_collections.openstack.cloud.plugins.modules.server')


def call(module: ModuleType, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """One task: its result. RuntimeError when it failed."""
    from ansible.module_utils import basic

    words = {**arguments, '_ansible_remote_tmp': '/tmp', '_ansible_keep_remote_files': False}
    with (
        mock.patch.object(basic, '_ANSIBLE_ARGS', json.dumps({'ANSIBLE_MODULE_ARGS': words}).encode()),
        mock.patch.object(basic, '_ANSIBLE_PROFILE', 'legacy', create=True),
    ):
        work = module.ServerModule()  # reads the arguments; nobody else has the turn meanwhile
    for owner in (work, work.ansible):
        owner.exit_json, owner.fail_json = _done, _failed
    try:
        work()
    except Done as done:
        result: dict[str, Any] = done.args[0]
        return result
    raise RuntimeError('the module did not end')


def _done(**result: Any) -> None:
    raise Done(result)


def _failed(**result: Any) -> None:
    raise RuntimeError(str(result.get('msg')))


def ground(cloud: Cloud) -> None:
    """What a playbook would have made before: network, subnet and router."""
    network = cloud.network.make('network', {'name': NETWORK})
    subnet = cloud.network.make('subnet', {'network_id': network['id'], 'cidr': '10.9.0.0/16', 'ip_version': 4})
    gateway = {'network_id': cloud.network.external['id']}
    router = cloud.network.make('router', {'name': NETWORK, 'external_gateway_info': gateway})
    cloud.network.connect(router, {'subnet_id': subnet['id']})


def server(number: int, state: str) -> dict[str, Any]:
    """Arguments of one task."""
    wish = {'image': IMAGE, 'flavor': FLAVOR, 'network': NETWORK, 'auto_ip': True, 'reuse_ips': False}
    absent = {'delete_ips': True}
    return {
        'cloud': 'cloudsim',
        'name': f'node-{number}',
        'state': state,
        'timeout': 600,
        **(wish if state == 'present' else absent),
    }


def run(cloud: Cloud, module: ModuleType, state: str, count: int, at_once: int) -> Cost:
    """`count` tasks, `at_once` at the same time; waits of the SDK are virtual."""

    def work() -> None:
        with Executor(cloud.turns, at_once) as pool:
            futures = [pool.submit(call, module, server(number, state)) for number in range(count)]
        for future in futures:
            future.result()

    with mock.patch.object(time, 'sleep', cloud.turns.sleep):
        return measure(cloud, work)[1]


def costs(make: Callable[[], Cloud], place: Path, module: ModuleType, count: int) -> dict[str, dict[str, Cost]]:
    """By way and by work: provision, again, delete; each way on a cloud of its own."""
    found: dict[str, dict[str, Cost]] = {}
    for way, at_once in WAYS.items():
        cloud = make()
        ground(cloud)
        with cloud.open(place):
            works = {'provision': 'present', 'again': 'present', 'delete': 'absent'}
            found[way] = {name: run(cloud, module, state, count, at_once) for name, state in works.items()}
    return found
