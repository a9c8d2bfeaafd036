"""How the tests of deploy run commands: in a namespace, on a copy of the example stack."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from known_findings import baseline

ROOT = Path(__file__).resolve().parents[3]
STACK = 'providers/openstack/example'
REGISTRY = '127.0.0.1:5443'
# Where the operator of a plane looks for releases.
REPOSITORY = 'stacks/cluster-stacks'
COMMAND_SECONDS = 300


@dataclass(frozen=True)
class Place:
    """Where commands run: namespace, environment, state directory of the plane."""

    netns: str
    state: Path

    def run(self, *words: str | Path, seconds: float = COMMAND_SECONDS) -> subprocess.CompletedProcess[str]:
        """scs-ci with these words, inside the namespace."""
        argv = ['ip', 'netns', 'exec', self.netns, sys.executable, '-m', 'scs_ci', *map(str, words)]
        env = {**os.environ, 'PYTHONPATH': str(ROOT / 'module_utils')}
        return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=seconds, check=False)

    def done(self, *words: str | Path, seconds: float = COMMAND_SECONDS) -> str:
        """As run(), but the command must succeed."""
        result = self.run(*words, seconds=seconds)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout


@dataclass(frozen=True)
class Run:
    """One run on a copy of the example stack."""

    place: Place
    directory: Path
    checkout: Path
    tools: Path

    def edit(self, file: str, old: str, new: str) -> None:
        """Replace text in a file of the stack; the text must be there."""
        path = self.checkout / STACK / file
        content = path.read_text()
        assert old in content, f'{file} lacks {old!r}'
        path.write_text(content.replace(old, new))

    def publish(self, repository: str = REPOSITORY, known: bool = False) -> None:
        """Everything before deploy. known: what the check finds is known, so that the servers are to see it."""
        registry = ['--registry', f'{REGISTRY}/{repository}', '--ca', self.place.state / 'pki/bundle.crt']
        run = ['--run', self.directory]
        self.place.done('discover', *run, '--checkout', self.checkout, '--run-id', str(uuid.uuid4()))
        file = self.directory.with_suffix('.known.json')
        found = baseline(self.place.run, file, self.checkout, '--stack', STACK) if known else []
        for words in (['check', *run, *found], ['build', *run], ['publish', *run, *registry]):
            self.place.done(*words)

    def deploy(self, *more: str | Path) -> subprocess.CompletedProcess[str]:
        files = ['--kubeconfig', self.place.state / 'kubeconfig', '--plane-logs', self.place.state / 'logs']
        # half of the usual patience: this plane is local and does nothing else
        return self.place.run(
            'deploy',
            '--run',
            self.directory,
            *files,
            '--until',
            'topology',
            '--patience',
            '0.5',
            '--tools',
            self.tools,
            *more,
        )

    def record(self) -> dict[str, Any]:
        """The record of deploy; there is one version."""
        (path,) = self.directory.glob('openstack-*/deploy.json')
        found: dict[str, Any] = json.loads(path.read_text())
        return found
