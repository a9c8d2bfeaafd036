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

from known_findings import baseline

ROOT = Path(__file__).resolve().parents[3]
STACK = 'providers/openstack/example'
REGISTRY = '127.0.0.1:5443/stacks/cluster-stacks'
# A command with its own limits inside; this one ends what hangs. A deploy to a usable cluster takes a minute or two, on
# a machine that runs other tests a multiple.
COMMAND_SECONDS = 900
PAUSE = 1.0
# Octavia and the cloud controller manager: half a minute on an idle machine.
BALANCER = 240
ASK_SECONDS = 120
# Asks the management cluster (`api`) or the cluster itself (`entered()`); the last line is the answer.
ASKING = """
import base64, json, sys, tempfile
from pathlib import Path
from scs_ci.deploy.gather import of_cluster
from scs_ci.plane.kube import Api

api, given = Api(Path(sys.argv[1])), json.loads(sys.argv[2])

def entered():
    secret = api.get('v1', 'Secret', given['cluster'] + '-kubeconfig', given['space'])
    place = tempfile.NamedTemporaryFile(prefix='scs-ci-test-')
    place.write(base64.b64decode(secret['data']['value']))
    place.flush()
    entered.kept = place
    return Api(Path(place.name))

print(json.dumps({expression}))
"""


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
        """argv of scs-sandbox about this sandbox; without its script, which first looks for the environment."""
        path = f'PYTHONPATH={ROOT / "module_utils"}:{ROOT / "sandbox"}'
        return ['env', path, sys.executable, '-m', 'scs_sandbox', '--name', self.name, *map(str, words)]

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
            'SCS_CI_TOOLS': str(self.tools),
        }

    def done(self, *words: str | Path, seconds: float = COMMAND_SECONDS) -> str:
        """As call(), but the command must succeed."""
        result = self.call(*words, seconds=seconds)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def plane_up(self, *more: str | Path) -> str:
        """Start what does not run of the plane; returns what it said."""
        result = self.call('plane', 'up', '--state', self.state, '--tools', self.tools, *self.wish, *more)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stderr

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

    def publish(self, *chosen: str, charts: Path | None = None, known: bool = False) -> None:
        """Everything before deploy. The plane is recorded as the run's own, so that its death is noticed.

        chosen: further words for discover. charts: where those are that the stack does not carry. known: what the check
        finds is known, as in a project that has it already, and the version goes on.
        """
        run = ['--run', self.directory]
        checkout = ['--checkout', self.place / 'checkout']
        self.lab.done('discover', *run, *checkout, '--run-id', self.id, '--cloud', 'sandbox', *chosen)
        self.lab.plane_up(*run)
        mirror = ['--charts', charts] if charts else []
        file, checked = self.place / 'known.json', [self.place / 'checkout', *mirror]
        found = baseline(self.lab.call, file, *checked) if known else []
        for words in (['check', *run, *mirror, *found], ['build', *run]):
            self.lab.done(*words)
        self.lab.done('publish', *run, *self.registry)

    @property
    def registry(self) -> list[str | Path]:
        return ['--registry', REGISTRY, '--ca', self.lab.state / 'pki/bundle.crt']

    def deploy(self, *more: str | Path, **limits: int) -> subprocess.CompletedProcess[str]:
        """limits: seconds of waits that are known to end badly."""
        own = [word for name, seconds in limits.items() for word in ('--limit', f'{name}={seconds}')]
        return self.lab.call('deploy', '--run', self.directory, '--tools', self.lab.tools, *own, *more)

    def upgrade(self) -> subprocess.CompletedProcess[str]:
        """To the next release, which is the same content again."""
        return self.lab.call('upgrade', '--run', self.directory, '--tools', self.lab.tools, *self.registry)

    def delete(self) -> subprocess.CompletedProcess[str]:
        """The cluster, through Cluster API."""
        return self.lab.call('deploy', '--delete', '--run', self.directory)

    def variables(self, **values: Any) -> list[str | Path]:
        """Words for deploy that set variables of the class."""
        file = self.place / 'variables.yaml'
        file.write_text(json.dumps({STACK: values}), encoding='utf-8')  # JSON is YAML
        return ['--variables', file]

    def deploy_until(self, said: str, then: Callable[[], None], *more: str) -> tuple[int, str]:
        """Deploy, do `then` as soon as the progress says that, and wait for the end: exit code and output."""
        words = ['deploy', '--run', self.directory, '--tools', self.lab.tools, *more]
        argv = self.lab.command('exec', '--', sys.executable, '-m', 'scs_ci', *words)
        progress = self.directory / 'progress.log'
        before = len(progress.read_text(encoding='utf-8'))
        env = {**os.environ, **self.lab.env}
        with subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as child:
            try:
                until(said, COMMAND_SECONDS, lambda: child.poll() is not None or said in progress.read_text()[before:])
                assert child.poll() is None, f'it ended before {said!r}'
                then()
                output, _ = child.communicate(timeout=COMMAND_SECONDS)
            finally:
                child.kill()
        return child.returncode, output

    def record(self, stage: str = 'deploy') -> dict[str, Any]:
        """The record of a stage; there is one version."""
        (path,) = self.directory.glob(f'openstack-*/{stage}.json')
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
        done = self.delete()
        assert done.returncode == 0, done.stderr
        self.purge()

    def purge(self) -> None:
        self.lab.done('purge', '--run', self.directory, '--cloud', 'sandbox')
        assert self.left() == []

    def object(self, kind: str) -> list[dict[str, Any]]:
        """Objects of the cluster in the management cluster."""
        found = '[o for o in of_cluster(api, given["space"], given["cluster"]) if o["kind"] == given["kind"]]'
        return list(self._asked(found, kind=kind))

    def ask_cluster(self, expression: str, **given: Any) -> Any:
        """The value of a Python expression about `inside`, the cluster's own API, and `given`."""
        return self._asked(f'(lambda inside: {expression})(entered())', **given)

    def _asked(self, expression: str, **given: Any) -> Any:
        script = ASKING.format(expression=expression)
        known = {'space': self.cluster.removesuffix('-c0'), 'cluster': self.cluster, **given}
        words = [str(self.lab.state / 'kubeconfig'), json.dumps(known)]
        done = self.lab.run(sys.executable, '-c', script, *words, seconds=ASK_SECONDS, env=self.lab.env)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


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


def with_balancer(run: Run, name: str) -> str:
    """A Service of type LoadBalancer in the cluster, without anything behind it; returns its address."""
    service = {
        'apiVersion': 'v1',
        'kind': 'Service',
        'metadata': {'name': name, 'namespace': 'default'},
        'spec': {'type': 'LoadBalancer', 'selector': {'app': name}, 'ports': [{'port': 80}]},
    }
    run.ask_cluster('inside.apply(given["obj"])["kind"]', obj=service)
    look = '(inside.get("v1", "Service", given["name"], "default")["status"].get("loadBalancer") or {}).get("ingress")'
    until(f'Service {name} has an address', BALANCER, lambda: run.ask_cluster(look, name=name))
    return str(run.ask_cluster(f'{look}[0]["ip"]', name=name))


def balancers(run: Run) -> list[str]:
    """Names of the load balancers of Services of the cluster, as the cloud has them."""
    names = run.lab.ask_cloud('[lb.name for lb in cloud.load_balancer.load_balancers()]')
    return [name for name in names if run.cluster in name and name.startswith('kube_service_')]
