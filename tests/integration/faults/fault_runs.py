"""How the tests of faults run a cluster stack: a plane in the lab of a sandbox, copies of the example, one run each."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
STACK = 'providers/openstack/example'
REGISTRY = '127.0.0.1:5443/stacks/cluster-stacks'
# A command with its own limits inside; this one ends what hangs. A deploy to a usable cluster takes a minute or two, on
# a machine that runs other tests a multiple.
COMMAND_SECONDS = 900
PAUSE = 1.0


@dataclass(frozen=True)
class Lab:
    """A sandbox and the plane in it. name: of the sandbox; state: of the plane, wish: words for its start."""

    name: str
    state: Path
    tools: Path
    wish: tuple[str, ...] = ()

    def run(
        self, *words: str | Path, seconds: float, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """A command inside the lab."""
        return self._sandbox('exec', '--', *words, seconds=seconds, env=env)

    def command(self, *words: str | Path) -> list[str]:
        """argv of scs-sandbox about this sandbox."""
        return [str(ROOT / 'bin/scs-sandbox'), '--name', self.name, *map(str, words)]

    def _sandbox(
        self, *words: str | Path, seconds: float, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        argv, given = self.command(*words), {**os.environ, **(env or {})}
        return subprocess.run(argv, env=given, capture_output=True, text=True, timeout=seconds, check=False)

    def call(self, *words: str | Path, seconds: float = COMMAND_SECONDS) -> subprocess.CompletedProcess[str]:
        """scs-ci with these words, inside the lab."""
        return self.run(sys.executable, '-m', 'scs_ci', *words, seconds=seconds, env=self.env)

    @property
    def env(self) -> dict[str, str]:
        return {
            'PYTHONPATH': str(ROOT / 'module_utils'),
            'PYTHONDONTWRITEBYTECODE': '1',
            'SCS_CI_TOOLS': str(self.tools),
        }

    def done(self, *words: str | Path, seconds: float = COMMAND_SECONDS) -> str:
        """As call(), but the command must succeed."""
        result = self.call(*words, seconds=seconds)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def plane_up(self, *more: str | Path) -> None:
        self.done('plane', 'up', '--state', self.state, '--tools', self.tools, *self.wish, *more)

    def kill(self, process: str) -> None:
        """SIGKILL to one process of the plane."""
        found = json.loads(self.call('plane', 'status', '--state', self.state, '--json').stdout)
        (pid,) = (row['pid'] for row in found['processes'] if row['name'] == process)
        os.kill(pid, signal.SIGKILL)

    @contextlib.contextmanager
    def faults(self, place: Path, document: dict[str, Any]) -> Iterator[None]:
        """Faults of the cloud, for as long as the block lasts."""
        file = place / 'faults.json'
        file.write_text(json.dumps(document), encoding='utf-8')
        self.of_sandbox('faults', 'set', file)
        try:
            yield
        finally:
            self.of_sandbox('faults', 'clear')

    def of_sandbox(self, *words: str | Path) -> str:
        """scs-sandbox, about this sandbox."""
        done = self._sandbox(*words, seconds=COMMAND_SECONDS)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def ask_cloud(self, expression: str, cloud: str = 'sandbox') -> Any:
        """The value of a Python expression about `cloud`, a connection of openstacksdk."""
        script = f'import json, openstack\ncloud = openstack.connect(cloud={cloud!r})\nprint(json.dumps({expression}))'
        done = self.run(sys.executable, '-c', script, seconds=120)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def host_of(self, server: str) -> str:
        """The compute host of a server, which only the cloud's administrator sees."""
        found = f'[s.compute_host for s in cloud.compute.servers(all_projects=True) if s.name == {server!r}]'
        (host,) = self.ask_cloud(found, 'sandbox-admin')
        return str(host)


@dataclass(frozen=True)
class Run:
    """One run on a copy of the example stack."""

    lab: Lab
    place: Path
    id: str

    @property
    def directory(self) -> Path:
        return self.place / 'run'

    @property
    def cluster(self) -> str:
        return f'scs-ci-{uuid.UUID(self.id).hex[:12]}-c0'

    def edit(self, file: str, old: str, new: str) -> None:
        """Replace text in a file of the stack; the text must be there."""
        path = self.place / 'checkout' / STACK / file
        content = path.read_text(encoding='utf-8')
        assert old in content, f'{file} lacks {old!r}'
        path.write_text(content.replace(old, new), encoding='utf-8')

    def publish(self, *chosen: str, charts: Path | None = None) -> None:
        """Everything before deploy. The plane is recorded as the run's own, so that its death is noticed.

        chosen: further words for discover. charts: where those are that the stack does not carry.
        """
        run = ['--run', self.directory]
        checkout = ['--checkout', self.place / 'checkout']
        self.lab.done('discover', *run, *checkout, '--run-id', self.id, '--cloud', 'sandbox', *chosen)
        self.lab.plane_up(*run)
        mirror = ['--charts', charts] if charts else []
        for words in (['check', *run, *mirror], ['build', *run]):
            self.lab.done(*words)
        self.lab.done('publish', *run, '--registry', REGISTRY, '--ca', self.lab.state / 'pki/bundle.crt')

    def deploy(self, *more: str | Path, **limits: int) -> subprocess.CompletedProcess[str]:
        """limits: seconds of waits that are known to end badly."""
        own = [word for name, seconds in limits.items() for word in ('--limit', f'{name}={seconds}')]
        return self.lab.call('deploy', '--run', self.directory, '--tools', self.lab.tools, *own, *more)

    def deploy_until(self, said: str, then: Callable[[], None], *more: str) -> tuple[int, str]:
        """Deploy, do `then` as soon as the progress says that, and wait for the end: exit code and output."""
        words = ['deploy', '--run', self.directory, '--tools', self.lab.tools, *more]
        argv = self.lab.command('exec', '--', sys.executable, '-m', 'scs_ci', *words)
        progress = self.directory / 'progress.log'
        env = {**os.environ, **self.lab.env}
        with subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as child:
            try:
                until(said, COMMAND_SECONDS, lambda: child.poll() is not None or said in progress.read_text())
                assert child.poll() is None, f'it ended before {said!r}'
                then()
                output, _ = child.communicate(timeout=COMMAND_SECONDS)
            finally:
                child.kill()
        return child.returncode, output

    def record(self) -> dict[str, Any]:
        """The record of deploy; there is one version."""
        (path,) = self.directory.glob('openstack-*/deploy.json')
        return dict(json.loads(path.read_text(encoding='utf-8')))

    @property
    def first_line(self) -> str:
        """The cause as the report tells it, behind whom it is about."""
        return str(self.record()['reason'])

    def gathered(self, pattern: str) -> list[Path]:
        """Files of the must-gather."""
        return sorted(self.directory.glob(f'openstack-*/must-gather/{pattern}'))

    def left(self) -> list[Any]:
        """What the cloud still has of the run."""
        return list(json.loads(self.lab.done('purge', '--run-id', self.id, '--cloud', 'sandbox', '--json'))['delete'])

    def end(self) -> None:
        """Delete the cluster through Cluster API, then purge: nothing may be left."""
        self.lab.done('deploy', '--delete', '--run', self.directory)
        self.purge()

    def purge(self) -> None:
        self.lab.done('purge', '--run', self.directory, '--cloud', 'sandbox')
        assert self.left() == []

    def object(self, kind: str) -> list[dict[str, Any]]:
        """Objects of the cluster in the management cluster."""
        script = (
            'import json, sys\nfrom pathlib import Path\nfrom scs_ci.plane.kube import Api\n'
            'from scs_ci.deploy.gather import of_cluster\n'
            'print(json.dumps([o for o in of_cluster(Api(Path(sys.argv[1])), sys.argv[2], sys.argv[3])'
            ' if o["kind"] == sys.argv[4]]))'
        )
        words = [self.lab.state / 'kubeconfig', self.cluster.removesuffix('-c0'), self.cluster, kind]
        done = self.lab.run(sys.executable, '-c', script, *words, seconds=60, env=self.lab.env)
        assert done.returncode == 0, done.stderr
        return list(json.loads(done.stdout))


def new_run(lab: Lab, place: Path, checkout: Path = ROOT / 'examples/cluster-stacks') -> Run:
    """A run on a fresh copy of the example, or of another checkout; nothing is asked of anybody yet."""
    place.mkdir(parents=True, exist_ok=True)
    shutil.copytree(checkout, place / 'checkout')
    return Run(lab, place, str(uuid.uuid4()))


def until(what: str, seconds: float, true: Callable[[], object]) -> None:
    """Wait for something that only time brings."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f'{what}: not within {seconds:.0f} s'
        time.sleep(PAUSE)
