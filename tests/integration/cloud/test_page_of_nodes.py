"""The commands of the page about test nodes, executed as they stand there, against the sandbox's cloud."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / 'doc' / 'nodes.md'
BLOCK = re.compile(r'<!-- executed: (\S+) -->\n```sh\n(.*?)```', re.DOTALL)
CLOUD, RUN = 'scs2', 'my-first-nodes'  # as the page names them
SECONDS = 900  # three nodes boot in seconds on an idle machine; one that tests is not idle


def commands() -> list[str]:
    found = BLOCK.search(PAGE.read_text(encoding='utf-8'))
    assert found, 'the page has no block of commands'
    assert found[1] == str(Path(__file__).relative_to(ROOT))
    return found[2].splitlines()


@pytest.fixture
def shell(sandbox: Any, tmp_path: Path) -> Iterator[Any]:
    """Runs a line in the lab with a home of its own. Only the cloud's name is another, for the sandbox has its own."""
    cache = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'  # with the environment that is made already
    home = [
        'env',
        f'HOME={tmp_path}',
        f'XDG_CACHE_HOME={cache}',
        f'XDG_STATE_HOME={tmp_path}/.local/state',
        f'ANSIBLE_HOME={tmp_path}/ansible',
    ]
    home += [f'PATH={Path(sys.executable).parent}:{os.environ["PATH"]}', 'TERM=dumb']

    def run(line: str) -> subprocess.CompletedProcess[str]:
        words = [*home, 'sh', '-c', line.replace(f'--cloud {CLOUD}', '--cloud sandbox')]
        argv = list(sandbox.command(*words))
        return subprocess.run(argv, capture_output=True, text=True, timeout=SECONDS, check=False, cwd=ROOT)

    yield run
    run(f'bin/scs-ci purge --cloud {CLOUD} --run-id {RUN} --yes')


def test_every_command_of_the_page_works(shell: Any) -> None:
    lines = commands()
    assert [shlex.split(line)[:3] for line in lines if '--dry-run' not in line][:2] == [
        ['bin/scs-ci', 'preflight', '--cloud'],
        ['bin/scs-ci', 'nodes', 'up'],
    ]
    said = {}
    for line in lines:
        done = shell(line)
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        said[line] = done.stdout
    by_word = {word: next(text for line, text in said.items() if word in line) for word in ('list', 'uname', 'ansible')}
    assert by_word['list'].count('ACTIVE') == 3
    assert by_word['uname'].strip() == os.uname().release
    # as JSON or as YAML, whatever Ansible is told to print
    assert len(re.findall(r'\bping"?: "?pong\b', by_word['ansible'])) == 3
    assert shell(f'bin/scs-ci nodes list --cloud {CLOUD} --run-id {RUN}').stdout == '0 nodes\n'
