"""A network namespace as the host of a plane, driven through the command line like a real one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# The plane is ready within 12 s; a machine that runs other tests at the same time needs a multiple.
UP_SECONDS = 240


@dataclass(frozen=True)
class PlaneHost:
    """name: of the namespace; state: directory of the plane; tools: the Go programs."""

    name: str
    state: Path
    tools: Path

    def create(self) -> None:
        subprocess.run(['ip', 'netns', 'add', self.name], check=True)
        subprocess.run(['ip', '-n', self.name, 'link', 'set', 'lo', 'up'], check=True)

    def remove(self) -> None:
        self.scs_ci('down', '--delete')
        for pid in self.pids():  # what a failed test left
            os.kill(pid, signal.SIGKILL)
        subprocess.run(['ip', 'netns', 'delete', self.name], check=True)

    def pids(self) -> list[int]:
        done = subprocess.run(['ip', 'netns', 'pids', self.name], capture_output=True, text=True, check=True)
        return [int(pid) for pid in done.stdout.split()]

    def inside(self, *command: str | Path) -> list[str]:
        return ['ip', 'netns', 'exec', self.name, *map(str, command)]

    def python(self, *arguments: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path), 'SCS_CI_TOOLS': str(self.tools), **env}
        command = self.inside(sys.executable, *arguments)
        return subprocess.run(command, capture_output=True, text=True, timeout=UP_SECONDS, env=environment, check=False)

    def scs_ci(self, verb: str, *arguments: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
        return self.python('-m', 'scs_ci', 'plane', verb, '--state', self.state, *arguments, **env)

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.scs_ci('status', '--json').stdout)
        return found

    def process(self, name: str) -> dict[str, Any]:
        return next(row for row in self.status()['processes'] if row['name'] == name)

    def ask(self, code: str) -> Any:
        """Run `code` inside with an Api called api; it leaves its answer, as plain data, in `answer`."""
        text = (
            'import json\nfrom pathlib import Path\n'
            'from scs_ci.plane.kube import *\n'
            f'api = Api(Path({str(self.state / "kubeconfig")!r}))\n{code}\nprint(json.dumps(answer))\n'
        )
        done = self.python('-c', text)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
