"""Preflight, nodes and purge against the real OpenStack of a sandbox: faults, a killed call, calls counted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[3]
# Everything here takes seconds on an idle machine; a machine that tests is not idle.
SECONDS = 600
# Words of progress after which a call is killed.
KILLED_AFTER = ('network', 'requested', 'address')
# All faults at all points are tested on an imagined cloud (tests/unit/provision); here one of each kind is for every
# change, to see that a real one behaves the same, and the others for who asks: -m long tests/integration/cloud
LONG = pytest.mark.long


@dataclass
class Cloud:
    """One run's view of the sandbox's cloud through the command line."""

    sandbox: Any
    place: Path
    cloud: str = 'sandbox'
    run: str = field(default_factory=lambda: str(uuid.uuid4()))

    def argv(self, *words: str, cloud: str | None = None) -> list[str]:
        given = ['--cloud', cloud or self.cloud, '--run-id', self.run]
        environment = [f'PYTHONPATH={ROOT / "module_utils"}', f'XDG_STATE_HOME={self.place / "state"}']
        command = [sys.executable, '-m', 'scs_ci', *words, *given]
        return list(self.sandbox.command('env', *environment, *command))

    def call(self, *words: str, cloud: str | None = None) -> subprocess.CompletedProcess[str]:
        argv = self.argv(*words, cloud=cloud)
        return subprocess.run(argv, capture_output=True, text=True, timeout=SECONDS, check=False, cwd=ROOT)

    def json(self, *words: str) -> Any:
        done = self.call(*words, '--json')
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def resources(self) -> set[tuple[str, str]]:
        """Everything in the project, whoever it belongs to."""
        code = (
            'import sys, json; from scs_ci.cloud import connect, inventory; '
            'print(json.dumps([(r.kind, r.id) for r in inventory.take(connect.connect(sys.argv[1])).resources]))'
        )
        words = ['env', f'PYTHONPATH={ROOT / "module_utils"}', sys.executable, '-c', code, self.cloud]
        done = self.sandbox.run(*words, timeout=SECONDS)
        assert done.returncode == 0, done.stderr
        return {(kind, identity) for kind, identity in json.loads(done.stdout)}

    def calls(self, work: Callable[[], Any]) -> tuple[Any, list[str]]:
        """The result of work() and the requests that reached the cloud's own doors from scs-ci meanwhile."""
        logs = sorted(self.sandbox.state.glob('cloud/*/log/*-access.log'))
        before = {log: log.stat().st_size for log in logs}
        result = work()
        lines: list[str] = []
        for log in logs:
            with log.open(encoding='utf-8') as file:
                file.seek(before[log])
                lines += [' '.join(line.split()[1:3]) for line in file]
        return result, lines


@pytest.fixture
def cloud(sandbox: Any, tmp_path: Path) -> Iterator[Cloud]:
    one = Cloud(sandbox, tmp_path)
    yield one
    done = one.call('purge', '--yes')
    assert done.returncode == 0, done.stderr


def test_provisions_converges_and_purges(cloud: Cloud) -> None:
    before = cloud.resources()
    made = cloud.json('nodes', 'up', '--count', '2')
    assert [node['host_keys_from'] for node in made['nodes']] == ['console', 'console']
    assert {tuple(node['simulated']) for node in made['nodes']} == {('hypervisor',)}
    again, calls = cloud.calls(lambda: cloud.json('nodes', 'up', '--count', '2'))
    assert [n['id'] for n in again['nodes']] == [n['id'] for n in made['nodes']]
    assert again['plan'] == []
    # Nova fills its answers from Neutron by calls of its own, which the log shows as well: ours go to each list once
    assert calls.count('GET /v2.1/servers/detail') == 2, calls
    assert calls.count('GET /v2.0/floatingips') == 1
    assert not [call for call in calls if call.startswith(('POST /v2', 'PUT', 'DELETE'))]
    assert len(cloud.json('nodes', 'list')) == 2
    shown = cloud.call('purge')
    assert 'would delete server' in shown.stdout
    assert len(cloud.json('nodes', 'list')) == 2
    assert cloud.json('purge', '--yes')['leftovers'] == []
    assert cloud.resources() == before


def test_dry_run_makes_nothing(cloud: Cloud) -> None:
    before = cloud.resources()
    plan = cloud.json('nodes', 'up', '--dry-run', '--count', '3')['plan']
    assert [step['action'] for step in plan] == ['create'] * 3
    assert cloud.resources() == before


@pytest.mark.parametrize(
    'fault',
    [
        {'service': 'nova', 'method': 'POST', 'path': '/v2.1/servers$', 'status': 504, 'count': 1, 'after': True},
        pytest.param(
            {'service': 'nova', 'method': 'POST', 'path': '/v2.1/servers$', 'status': 503, 'count': 2}, marks=LONG
        ),
        pytest.param(
            {'service': 'neutron', 'method': 'POST', 'path': '/floatingips', 'status': 504, 'count': 1, 'after': True},
            marks=LONG,
        ),
    ],
    ids=['server lost', 'server refused', 'floating IP lost'],
)
def test_lost_and_refused_answers(cloud: Cloud, faults: Callable[[Any], None], fault: dict[str, Any]) -> None:
    before = cloud.resources()
    faults({'http': [fault]})
    assert len(cloud.json('nodes', 'up')['nodes']) == 1
    new = cloud.resources() - before
    assert len([kind for kind, _ in new if kind == 'server']) == 1
    assert len([kind for kind, _ in new if kind == 'floating_ip']) == 1


def test_failing_boot_is_told_and_replaced(cloud: Cloud, faults: Callable[[Any], None]) -> None:
    faults({'nova': {'spawn_error': '^scs-ci'}})
    done = cloud.call('nodes', 'up')
    assert done.returncode == 3, done.stderr
    assert 'cannot boot node' in done.stderr
    assert 'next:' in done.stderr
    assert 'Traceback' not in done.stderr
    faults({})
    assert [step['action'] for step in cloud.json('nodes', 'up')['plan']] == ['replace']


RICH = """
groups:
  - name: big
    flavor: {vcpus: 8, ram: 32768, disk: 3}
    image: {os_distro: debian}
    volumes: [{size: 1}]
    security: [{port: 6443}, {protocol: udp, port: 8472, last: 8473, remote: 198.18.0.0/15}]
    server_group: soft-anti-affinity
"""


@LONG
def test_full_hosts_are_told_by_flavor_and_a_later_call_makes_everything(
    cloud: Cloud, faults: Callable[[Any], None], tmp_path: Path
) -> None:
    before = cloud.resources()
    path = tmp_path / 'topology.yaml'
    path.write_text(RICH)
    up = ('nodes', 'up', '--topology', str(path))
    faults({'nova': {'spawn_error': '^scs-ci', 'spawn_reschedule': 1}})
    done = cloud.call(*up)
    assert done.returncode == 3, done.stderr
    assert 'tried SCS-8V-32 in any zone; SCS-16V-32 in any zone' in done.stderr
    faults({})
    made = cloud.json(*up)
    assert [(node['flavor'], node['group']) for node in made['nodes']] == [('SCS-8V-32', 'big')]
    assert cloud.json(*up)['plan'] == []
    assert cloud.json('purge', '--yes')['leftovers'] == []
    assert cloud.resources() == before


def _listen() -> None:
    # a shell that starts pytest in the background makes its children ignore Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.parametrize(
    ('word', 'number'),
    [
        *(pytest.param(word, signal.SIGKILL, marks=[LONG] if word != 'requested' else []) for word in KILLED_AFTER),
        ('requested', signal.SIGINT),
    ],
    ids=lambda value: getattr(value, 'name', value),
)
def test_a_stopped_call_is_purged_without_leftovers(cloud: Cloud, word: str, number: signal.Signals) -> None:
    before = cloud.resources()
    argv = cloud.argv('nodes', 'up', '--count', '2')
    process = subprocess.Popen(
        argv, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, preexec_fn=_listen
    )
    assert process.stderr
    lines = []
    deadline = time.monotonic() + SECONDS
    for line in process.stderr:
        lines.append(line)
        if word in line or time.monotonic() > deadline:
            break
    os.kill(process.pid, number)  # scs-sandbox exec becomes the command: it is the process itself
    rest = process.stderr.read()
    process.stderr.close()
    code = process.wait(timeout=60)
    assert word in lines[-1], lines
    if number == signal.SIGINT:
        assert code == 3
        assert 'interrupted' in rest
        assert 'Traceback' not in rest
    assert cloud.resources() != before
    assert cloud.call('purge', '--yes').returncode == 0
    assert cloud.resources() == before


def test_two_runs_do_not_touch_each_other(cloud: Cloud, sandbox: Any, tmp_path: Path) -> None:
    before = cloud.resources()
    other = Cloud(sandbox, tmp_path)
    try:
        node = cloud.json('nodes', 'up')['nodes'][0]
        other.json('nodes', 'up')
        assert other.json('purge', '--yes')['leftovers'] == []
        assert [n['id'] for n in cloud.json('nodes', 'list')] == [node['id']]
    finally:
        other.call('purge', '--yes')
    assert cloud.json('purge', '--yes')['leftovers'] == []
    assert cloud.resources() == before


def test_preflight_counts_and_names_every_shortfall(cloud: Cloud) -> None:
    done = cloud.call('preflight', '--count', '1')
    assert done.returncode == 0, done.stdout + done.stderr
    done = cloud.call('preflight', '--count', '5000', '--kubernetes', 'v1.0.0', '--external', 'gone')
    assert done.returncode == 3
    short = [line for line in done.stdout.splitlines() if line.startswith('SHORT')]
    for subject in ('servers', 'vCPUs', 'ports', 'floating IPs', 'cluster image v1.0.0', 'external network'):
        assert any(subject in line for line in short), (subject, done.stdout)


def test_an_application_credential_is_enough(sandbox: Any, tmp_path: Path) -> None:
    one = Cloud(sandbox, tmp_path, cloud='sandbox-appcred')
    try:
        assert len(one.json('nodes', 'up')['nodes']) == 1
    finally:
        done = one.call('purge', '--yes')
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize('words', [('nodes', 'list'), ('purge',), ('preflight',)], ids=lambda words: words[0])
def test_unknown_clouds_are_usage_errors(cloud: Cloud, words: tuple[str, ...]) -> None:
    done = cloud.call(*words, cloud='gone')
    assert done.returncode == 2
    assert "cannot find cloud 'gone'" in done.stderr
    assert 'Traceback' not in done.stderr
