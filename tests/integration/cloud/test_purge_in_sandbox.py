"""Janitor, leftovers and credentials against the real OpenStack of a sandbox, beside things of other people."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[3]
# Everything here takes seconds on an idle machine; a machine that tests is not idle.
SECONDS = 300

# Makes what a run of that id has, and prints the ids of what others have: idle addresses, ports, names like ours.
FILL = """
import json, sys
from scs_ci.cloud import connect, observe
from scs_ci.cloud.marks import Mark
from scs_ci.core.naming import names
run = sys.argv[1]
cloud = connect.connect('sandbox')
sdk, own, mark = cloud.sdk, names(run), Mark(run, 'tests', '2026-01-01T00:00:00Z')
external = next(n for n in sdk.network.networks() if n.is_router_external)
network = sdk.network.create_network(name=own.prefix + '-network', description=mark.description())
subnet = sdk.network.create_subnet(network_id=network.id, name='s', ip_version=4, cidr='10.254.0.0/24')
router = sdk.network.create_router(name=own.prefix + '-router', description=mark.description(),
                                   external_gateway_info={'network_id': external.id})
sdk.network.add_interface_to_router(router.id, subnet_id=subnet.id)
sdk.network.create_ip(floating_network_id=external.id, description=mark.description())
sdk.network.create_security_group(name='k8s-cluster-%s-%s-secgroup-worker' % (own.prefix, own.cluster(0)))
sdk.block_storage.create_volume(size=1, name='pvc-1', metadata={'cinder.csi.openstack.org/cluster': own.cluster(0)})
sdk.compute.create_server_group(name=own.prefix + '-control', policies=['soft-anti-affinity'])
theirs = sdk.network.create_network(name=own.prefix + '-network')
kept = [['network', theirs.id]]
net2 = sdk.network.create_network(name='theirs', description='please keep: ' + mark.description())
sub2 = sdk.network.create_subnet(network_id=net2.id, name='t', ip_version=4, cidr='10.9.0.0/24')
port = sdk.network.create_port(network_id=net2.id, name=own.prefix + '-port')
ip = sdk.network.create_ip(floating_network_id=external.id)
group = sdk.compute.create_server_group(name=own.prefix + 'x', policies=['soft-anti-affinity'])
kept += [['network', net2.id], ['subnet', sub2.id], ['port', port.id], ['floating_ip', ip.id]]
kept += [['server_group', group.id]]
image = next(i for i in map(observe.image, sdk.image.images()) if i.properties.get('os_purpose') == 'generic')
flavor = min((f for f in sdk.compute.flavors() if f.disk), key=lambda f: (f.ram, f.vcpus))
server = sdk.compute.create_server(name=own.prefix + '-node-0', image_id=image.id, flavor_id=flavor.id,
                                   networks=[{'uuid': net2.id}])
kept += [['server', server.id]]
print(json.dumps(kept))
"""
# Removes what FILL made for others.
EMPTY = """
import json, sys, time
from scs_ci.cloud import connect
sdk = connect.connect('sandbox').sdk
calls = {'server': sdk.compute.delete_server, 'server_group': sdk.compute.delete_server_group,
         'floating_ip': sdk.network.delete_ip, 'port': sdk.network.delete_port, 'subnet': sdk.network.delete_subnet,
         'network': sdk.network.delete_network}
kept = json.loads(sys.argv[1])
for kind in calls:
    for identity in [i for k, i in kept if k == kind]:
        calls[kind](identity)
    deadline = time.monotonic() + 120  # seconds; a server of the sandbox goes within some
    while kind == 'server' and any(s.id == i for s in sdk.compute.servers() for _, i in kept):
        assert time.monotonic() < deadline
        time.sleep(1)
"""


@dataclass
class Project:
    """The sandbox's project `demo1` through the command line, with a run of its own."""

    sandbox: Any
    place: Path
    run: str = field(default_factory=lambda: str(uuid.uuid4()))

    def python(self, *words: str | Path, clouds: Path | None = None) -> subprocess.CompletedProcess[str]:
        environment = [f'PYTHONPATH={ROOT / "module_utils"}', f'XDG_STATE_HOME={self.place / "state"}']
        if clouds:
            environment.append(f'OS_CLIENT_CONFIG_FILE={clouds}')
        result: subprocess.CompletedProcess[str] = self.sandbox.run(
            'env', *environment, sys.executable, *words, timeout=SECONDS
        )
        return result

    def call(self, *words: str, clouds: Path | None = None) -> subprocess.CompletedProcess[str]:
        return self.python('-m', 'scs_ci', *words, '--cloud', 'sandbox', clouds=clouds)

    def json(self, *words: str, code: int = 0, clouds: Path | None = None) -> Any:
        done = self.call(*words, '--json', clouds=clouds)
        assert done.returncode == code, done.stdout + done.stderr
        return json.loads(done.stdout)

    def code(self, text: str, *words: str) -> str:
        done = self.python('-c', text, *words)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def project(sandbox: Any, tmp_path: Path) -> Iterator[Project]:
    one = Project(sandbox, tmp_path)
    yield one
    done = one.call('purge', '--run-id', one.run, '--yes')
    assert done.returncode == 0, done.stderr


def test_the_janitor_takes_an_expired_run_and_nothing_of_others(project: Project, tmp_path: Path) -> None:
    before = tmp_path / 'before.json'
    project.call('leftovers', '--save', str(before))
    kept = json.loads(project.code(FILL, project.run))
    try:
        found = project.json('leftovers', code=4)
        run = next(row for row in found['runs'] if row['run'] == project.run)
        assert (run['owner'], run['expired']) == ('tests', True)
        assert run['objects']['volume'] == run['objects']['server_group'] == run['objects']['security_group'] == 1
        shown = project.json('purge', '--run-id', project.run, '--dry-run')
        reasons = {item['resource']['id']: item['reason'] for item in shown['keep']}
        assert {identity for _, identity in kept} <= set(reasons)
        assert any("named like the run's, without its mark" in reasons[identity] for _, identity in kept)
        words = ['purge', '--expired', '--state', str(tmp_path / 'janitor.json'), '--again-after', '0.01']
        assert not any(row['due'] for row in project.json(*words, '--yes')['runs'] if row['run'] == project.run)
        done = next(row for row in project.json(*words, '--yes')['runs'] if row['run'] == project.run)
        assert done['due']
        assert {'network', 'router', 'floating_ip', 'volume'} <= set(done['deleted'])
        left = project.json('leftovers', '--since', str(before))
        assert [row for row in left['runs'] if row['run'] == project.run] == []
        added = {text.split('(')[-1][:-1] for kind in left['difference'].values() for text in kind.get('added', [])}
        # ports of their own come along: those of their server and of DHCP
        assert {identity for _, identity in kept} <= added
        assert not any('removed' in kind for kind in left['difference'].values())
    finally:
        project.code(EMPTY, json.dumps(kept))


def test_a_credential_is_few_rights_one_file_and_no_more_after_the_purge(project: Project, tmp_path: Path) -> None:
    file = tmp_path / 'keys/clouds.yaml'
    words = ['credential', 'make', '--run-id', project.run, '--file', str(file)]
    made = project.json(*words)['credential']
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert made['roles'] == ['load-balancer_member', 'member']
    assert project.json(*words)['changed'] is False
    # it works, sees everything that a purge has to see, and cannot make another one
    assert project.json('leftovers', clouds=file)['unseen'] == {}
    refused = project.call('credential', 'make', '--run-id', 'another-run', '--file', f'{file}.2', clouds=file)
    assert refused.returncode == 3
    assert 'only an unrestricted credential may make others' in refused.stderr
    words_too = ['credential', 'make', '--optional', '--run-id', 'another-run', '--file', f'{file}.2']
    without = project.json(*words_too, clouds=file)
    assert without['credential'] == {}
    assert without['reason'] == 'the login is a restricted application credential, which can make no other'
    file.unlink()
    again = project.json(*words)['credential']
    assert again['id'] != made['id']
    own = project.call('purge', '--run-id', project.run, '--yes', '--timeout', '20', clouds=file)
    assert own.returncode == 4
    assert 'who made it revokes it' in own.stderr
    assert project.json('purge', '--run-id', project.run, '--yes')['deleted'] == {'application_credential': 1}
    gone = project.call('leftovers', clouds=file)
    assert gone.returncode == 3
    assert 'cannot log in' in gone.stderr


def test_a_role_that_reads_suffices_for_looking(project: Project, tmp_path: Path) -> None:
    file = tmp_path / 'reader.yaml'
    project.json('credential', 'make', '--run-id', project.run, '--file', str(file), '--role', 'reader')
    seen = project.json('leftovers', code=0, clouds=file)
    assert seen['objects']['network'] >= 0
    assert set(seen['unseen']) <= {'load_balancer'}
    done = project.call('nodes', 'up', '--run-id', 'reader-run', clouds=file)
    assert done.returncode == 3
    assert 'Traceback' not in done.stderr
