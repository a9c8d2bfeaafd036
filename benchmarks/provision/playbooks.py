"""The same work with Ansible's openstack.cloud on a real cloud: a playbook in each of three forms, calls counted from
the access logs of the services (also those that services make of each other)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scs_ci.cloud import choose, connect, observe, purge
from scs_ci.cloud.connect import Cloud
from scs_ci.cloud.marks import Mark
from scs_ci.cloud.model import FlavorWish, ImageWish
from scs_ci.core.naming import names

FORMS = ('serial', 'async', 'free')
SECONDS = 1800  # for one playbook; serial ones boot one server after the other


@dataclass(frozen=True)
class Measured:
    """calls: lines of the access logs; seconds: of the whole command."""

    calls: int
    seconds: float


class Logs:
    """Counts lines of access logs. directory: where <service>-access.log are."""

    def __init__(self, directory: Path) -> None:
        self.files = sorted(directory.glob('*-access.log'))
        if not self.files:
            raise SystemExit(f'{directory} has no access logs')

    def measure(self, work: Callable[[], Any]) -> tuple[Any, Measured]:
        before, begun = self._lines(), time.monotonic()
        result = work()
        return result, Measured(self._lines() - before, round(time.monotonic() - begun, 1))

    def _lines(self) -> int:
        return sum(file.read_bytes().count(b'\n') for file in self.files)


@contextmanager
def ground(cloud: Cloud) -> Iterator[dict[str, str]]:
    """A network with a router, and what the servers are made of; everything with a mark, so that a purge takes it."""
    mark = Mark(str(uuid.uuid4()), 'benchmark', '2099-01-01T00:00:00Z')
    offer, sdk, about = observe.offer(cloud), cloud.sdk.network, {'description': mark.description()}
    prefix = names(mark.run).prefix
    try:
        network = sdk.create_network(name=f'{prefix}-network', **about)
        subnet = sdk.create_subnet(name=prefix, network_id=network.id, ip_version=4, cidr='10.9.0.0/24', **about)
        gateway = {'network_id': choose.external_network(offer.networks, None).id}
        router = sdk.create_router(name=prefix, external_gateway_info=gateway, **about)
        sdk.add_interface_to_router(router.id, subnet_id=subnet.id)
        yield {
            'name': prefix,
            'network': network.name,
            'flavor': choose.flavors(FlavorWish(), offer.flavors).best.name,
            'image': choose.images(ImageWish(), offer.images).best.name,
            **mark.metadata(),
        }
    finally:
        purge.Purge(connect.connect(cloud.name), mark.run, say=lambda *_: None).execute()


def task(cloud: str, place: Mapping[str, str], state: str) -> dict[str, Any]:
    """Arguments of openstack.cloud.server for the node of the loop."""
    marks = {key: value for key, value in place.items() if key.startswith('scs_ci_')}
    wish = {'image': place['image'], 'flavor': place['flavor'], 'network': place['network'], 'metadata': marks,
            'auto_ip': True, 'reuse_ips': False}  # fmt: skip
    common = {'cloud': cloud, 'name': f'{place["name"]}-{{{{ item }}}}', 'state': state, 'timeout': 600}
    return common | (wish if state == 'present' else {'delete_ips': True})


def playbook(form: str, arguments: Mapping[str, Any], count: int) -> list[dict[str, Any]]:
    """One play. free: a host per server, each with its number as `item`."""
    work: dict[str, Any] = {'name': 'A server is as wanted', 'openstack.cloud.server': dict(arguments)}
    play: dict[str, Any] = {'name': 'Servers', 'hosts': 'localhost', 'gather_facts': False, 'connection': 'local'}
    loop = {'loop': list(range(count))}
    if form == 'serial':
        return [play | {'tasks': [work | loop]}]
    if form == 'free':
        return [play | {'hosts': 'nodes', 'strategy': 'free', 'tasks': [work]}]
    begun = work | loop | {'async': 900, 'poll': 0, 'register': 'begun'}
    ended = {'name': 'All have ended', 'ansible.builtin.async_status': {'jid': '{{ job.ansible_job_id }}'},
             'loop': '{{ begun.results }}', 'loop_control': {'loop_var': 'job'}, 'register': 'end',
             'until': 'end is finished', 'retries': 900, 'delay': 1}  # fmt: skip
    return [play | {'tasks': [begun, ended]}]


def run(directory: Path, collections: Path, form: str, arguments: Mapping[str, Any], count: int) -> None:
    """Run the playbook to its end; SystemExit when it fails."""
    file, inventory, settings = directory / 'play.json', directory / 'inventory.json', directory / 'ansible.cfg'
    settings.write_text('', encoding='utf-8')  # Ansible takes no /dev/null; whose directory this is may have one
    file.write_text(json.dumps(playbook(form, arguments, count)), encoding='utf-8')
    hosts = {f'node{number}': {'item': number} for number in range(count)}
    python = {'ansible_python_interpreter': sys.executable}
    groups = {'nodes': {'hosts': hosts, 'vars': python}, 'ungrouped': {'hosts': {'localhost': python}}}
    inventory.write_text(json.dumps({'all': {'children': groups}}), encoding='utf-8')
    # the module's interpreter finds the collection's code in what Ansible sends it
    environment = {**os.environ, 'ANSIBLE_COLLECTIONS_PATH': str(collections), 'ANSIBLE_FORKS': '20',
                   'ANSIBLE_ASYNC_DIR': str(directory / 'async'), 'ANSIBLE_CONFIG': str(settings)}  # fmt: skip
    words = [str(Path(sys.executable).parent / 'ansible-playbook'), '-i', str(inventory), str(file)]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False)
    if done.returncode:
        raise SystemExit(f'{form}: {done.stdout[-2000:]}{done.stderr[-500:]}')


def measured(cloud: Cloud, logs: Logs, place: Path, collections: Path, count: int) -> dict[str, dict[str, Measured]]:
    """By form and by work: provision, again, delete."""
    found: dict[str, dict[str, Measured]] = {}
    for form in FORMS:
        with ground(cloud) as made:
            steps = {'provision': 'present', 'again': 'present', 'delete': 'absent'}
            found[form] = {}
            for name, state in steps.items():
                arguments = task(cloud.name, made, state)
                found[form][name] = logs.measure(lambda a=arguments, f=form: run(place, collections, f, a, count))[1]  # type: ignore[misc]
    return found
