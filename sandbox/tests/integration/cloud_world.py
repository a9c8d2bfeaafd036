"""Drive a sandbox from a test: its commands, its clouds, its servers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import openstack

from scs_sandbox import names, netns

UP_SECONDS = 1200  # the first sandbox on a machine builds image and template
WAIT_SECONDS = 120  # for one change of a server; seconds on a quiet machine, tests share it with others
Result = TypeVar('Result')


class CloudWorld:
    """A sandbox by name. Calls of a cloud run in a thread inside the lab."""

    def __init__(self, name: str, home: Path | None = None) -> None:
        self.name = name
        self._environment = {**os.environ, **({'SCS_SANDBOX_HOME': str(home)} if home else {})}
        self.state = names.state_directory(name, self._environment)
        self._connections: dict[str, Any] = {}

    def run(self, *words: str, stdin: str = '') -> subprocess.CompletedProcess[str]:
        """Run scs-sandbox to its end; the exit code is for the caller to judge."""
        return subprocess.run(
            [sys.executable, '-m', 'scs_sandbox', '--name', self.name, *words],
            input=stdin,
            text=True,
            capture_output=True,
            timeout=UP_SECONDS,
            check=False,
            env={**self._environment, 'PYTHONPATH': str(Path(__file__).resolve().parents[2])},
        )

    def demand(self, *words: str, stdin: str = '') -> str:
        """The same, and it has to succeed."""
        done = self.run(*words, stdin=stdin)
        assert done.returncode == 0, f'{words}: {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}'
        return done.stdout

    def status(self) -> dict[str, Any]:
        """What `status --json` says."""
        return dict(json.loads(self.run('status', '--json').stdout))

    def inside(self, function: Callable[[], Result]) -> Result:
        """Call a function in the lab."""
        return netns.within(names.namespace_path(names.lab_namespace(self.name)), function)

    def ask(self, function: Callable[[Any], Result], cloud: str = 'sandbox') -> Result:
        """Call a function with the connection to a cloud of clouds.yaml, in the lab."""
        if cloud not in self._connections:
            self._connections[cloud] = openstack.config.OpenStackConfig(
                config_files=[str(self.state / 'clouds.yaml')], load_envvars=False
            ).get_one(cloud)
        return self.inside(lambda: function(openstack.connection.Connection(config=self._connections[cloud])))

    def wait_server(self, server_id: str, *statuses: str) -> Any:
        """The server, once it has one of these statuses and no task."""
        limit = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < limit:
            server = self.ask(lambda c: c.compute.get_server(server_id))
            if server.status in statuses and not server.task_state:
                return server
            time.sleep(0.3)
        raise AssertionError(f'server {server_id} is {server.status}/{server.task_state}, expected {statuses}')

    def boot(self, network: str, name: str = 'test', flavor: str = 'SCS-2V-4-20s', **more: Any) -> str:
        """POST a server of the generic image; its id."""

        def post(c: Any) -> str:
            image = next(i for i in c.image.images() if i.properties.get('os_purpose') == 'generic')
            body = {'name': name, 'image_id': image.id, 'flavor_id': c.compute.find_flavor(flavor).id}
            return str(c.compute.create_server(**body, networks=[{'uuid': network}], **more).id)

        return self.ask(post)

    def delete_servers(self) -> None:
        """Delete all servers of demo1 and wait until the list is empty."""
        self.ask(lambda c: [c.compute.delete_server(s, ignore_missing=True) for s in c.compute.servers()])
        limit = time.monotonic() + WAIT_SECONDS
        while self.ask(lambda c: list(c.compute.servers())):
            assert time.monotonic() < limit, 'servers stay'
            time.sleep(0.3)

    @contextmanager
    def faults(self, document: dict[str, Any]) -> Iterator[None]:
        """Faults as long as the block runs."""
        self.demand('faults', 'set', '-', stdin=json.dumps(document))
        try:
            yield
        finally:
            self.demand('faults', 'clear')
