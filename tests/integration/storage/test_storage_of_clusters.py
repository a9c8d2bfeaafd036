"""Volumes of a real cluster, from the claim to Cinder and back:

python3 setup/main.py test -m long tests/integration/storage
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fault_runs import Lab, Run, until

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(3600)]
IMAGE = 'registry.k8s.io/e2e-test-images/busybox:1.37.0-1'
# Cinder and Nova take seconds; kubelet and the attacher look again after up to two minutes when one was too early.
SECONDS = 240
STAY = 45
CLAIM = {
    'apiVersion': 'v1',
    'kind': 'PersistentVolumeClaim',
    'metadata': {'name': 'data', 'namespace': 'default'},
    'spec': {'accessModes': ['ReadWriteOnce'], 'resources': {'requests': {'storage': '1Gi'}}},
}
VOLUMES = "[[v.name, v.status, v.size] for v in cloud.block_storage.volumes() if v.name.startswith('pvc-')]"


class Inside:
    """kubectl with the cluster's own kubeconfig."""

    def __init__(self, run: Run, place: Path) -> None:
        self.run, self.kubeconfig = run, place / 'kubeconfig'
        script = (
            'import base64, sys\nfrom pathlib import Path\nfrom scs_ci.plane.kube import Api\n'
            'secret = Api(Path(sys.argv[1])).get("v1", "Secret", sys.argv[3] + "-kubeconfig", sys.argv[2])\n'
            'print(base64.b64decode(secret["data"]["value"]).decode())'
        )
        lab, space = run.lab, run.cluster.removesuffix('-c0')
        words = [sys.executable, '-c', script, lab.state / 'kubeconfig', space, run.cluster]
        done = lab.run(*words, seconds=60, env=lab.env)
        assert done.returncode == 0, done.stderr
        self.kubeconfig.touch(mode=0o600)
        self.kubeconfig.write_text(done.stdout, encoding='utf-8')

    def kubectl(self, *words: str) -> subprocess.CompletedProcess[str]:
        program = self.run.lab.tools / 'bin/kubectl'
        return self.run.lab.run(program, '--kubeconfig', self.kubeconfig, *words, seconds=SECONDS)

    def read(self, *words: str) -> dict[str, Any]:
        done = self.kubectl('get', *words, '--output', 'json')
        return dict(json.loads(done.stdout)) if done.returncode == 0 else {}

    def create(self, place: Path, obj: dict[str, Any]) -> None:
        file = place / f'{obj["metadata"]["name"]}.json'
        file.write_text(json.dumps(obj), encoding='utf-8')
        done = self.kubectl('create', '--filename', str(file))
        assert done.returncode == 0, done.stderr

    def delete(self, kind: str, name: str) -> None:
        done = self.kubectl('delete', kind, name, '--ignore-not-found', f'--timeout={SECONDS}s')
        assert done.returncode == 0, done.stderr


def pod(name: str, node: str, script: str) -> dict[str, Any]:
    """A pod on that node that runs a script with the claim at /data, once."""
    container = {
        'name': 'main',
        'image': IMAGE,
        'command': ['sh', '-ec', script],
        'volumeMounts': [{'name': 'data', 'mountPath': '/data'}],
    }
    volume = {'name': 'data', 'persistentVolumeClaim': {'claimName': 'data'}}
    spec = {'nodeName': node, 'restartPolicy': 'Never', 'containers': [container], 'volumes': [volume]}
    return {'apiVersion': 'v1', 'kind': 'Pod', 'metadata': {'name': name, 'namespace': 'default'}, 'spec': spec}


def states(lab: Lab) -> list[str]:
    """Of all volumes of claims, as Cinder tells them."""
    return [row[1] for row in lab.ask_cloud(VOLUMES)]


@contextmanager
def ran(
    inside: Inside, place: Path, wanted: dict[str, Any], meanwhile: Callable[[], object] = lambda: True
) -> Iterator[str]:
    """What a pod that has ended well wrote; it is deleted at the end of the block. meanwhile: true before it ends."""
    name = wanted['metadata']['name']
    inside.create(place, wanted)
    try:
        until(f'what comes with pod {name}', SECONDS, meanwhile)
        until(f'pod {name} ends', SECONDS, lambda: phase(inside, name) in ('Succeeded', 'Failed'))
        told = inside.kubectl('logs', name)
        assert phase(inside, name) == 'Succeeded', told.stdout + told.stderr
        yield told.stdout
    except AssertionError:
        print(inside.kubectl('describe', 'pod', name).stdout)  # pytest shows it
        raise
    finally:
        inside.delete('pod', name)


def phase(inside: Inside, name: str) -> str:
    return str((inside.read('pod', name).get('status') or {}).get('phase'))


def test_the_record_says_what_is_not_proven(cluster: Run) -> None:
    record = cluster.record()
    workloads = {one['workload'] for one in record['facts']['unproven']}
    assert workloads == {'DaemonSet cilium', 'DaemonSet cilium-envoy', 'Deployment cilium-operator'}
    assert all(image.startswith('quay.io/cilium/') for one in record['facts']['unproven'] for image in one['images'])
    assert 'DaemonSet cilium (no image)' in record['simulated']
    assert record['reason'].startswith('not proven: ')
    assert all(workload in record['reason'] for workload in workloads)


def test_a_claim_becomes_a_volume_that_goes_from_node_to_node(lab: Lab, cluster: Run, tmp_path: Path) -> None:
    inside = Inside(cluster, tmp_path)
    workers = [
        node['metadata']['name']
        for node in inside.read('nodes')['items']
        if 'node-role.kubernetes.io/control-plane' not in node['metadata']['labels']
    ]
    inside.create(tmp_path, CLAIM)
    try:
        until('bound', SECONDS, lambda: (inside.read('pvc', 'data').get('status') or {}).get('phase') == 'Bound')
        (found,) = lab.ask_cloud(VOLUMES)
        assert found[1:] == ['available', 1]
        # it stays for a while, for the volume of a pod that has ended is taken away at once
        script = f'grep " /data " /proc/mounts; echo kept > /data/file; sleep {STAY}'
        with ran(inside, tmp_path, pod('one', workers[0], script), lambda: states(lab) == ['in-use']) as said:
            assert 'overlay' in said, 'a directory of the machine stands for the disk'
        with ran(inside, tmp_path, pod('two', workers[1], 'cat /data/file')) as said:
            assert said == 'kept\n'
        until('detached', SECONDS, lambda: states(lab) == ['available'])
    finally:
        inside.delete('pvc', 'data')
    until('no volume', SECONDS, lambda: lab.ask_cloud(VOLUMES) == [])
