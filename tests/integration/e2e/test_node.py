"""A provisioned node, looked at with testinfra."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CHECKS = Path(__file__).with_name('node_checks.py')
# Nine checks, each a few SSH sessions.
CHECK_SECONDS = 300

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]


def test_a_node_is_fit_for_the_management_plane(
    scs_ci: Callable[..., Any], sandbox: Any, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    run_id = f'node-{tmp_path.name}'.replace('_', '-').lower()
    words = ('--cloud', 'sandbox', '--run-id', run_id)
    request.addfinalizer(lambda: scs_ci('purge', *words, '--yes'))
    made = scs_ci('nodes', 'up', *words, '--key-dir', tmp_path / 'keys', '--json')
    assert made.returncode == 0, made.stdout + made.stderr
    node = json.loads(made.stdout)['nodes'][0]
    (tmp_path / 'known_hosts').write_text('\n'.join(node['known_hosts']) + '\n', encoding='utf-8')
    config = tmp_path / 'ssh_config'
    config.write_text(
        f'Host node\n HostName {node["address"]}\n User {node["user"]}\n IdentityFile {node["key_file"]}\n'
        f' IdentitiesOnly yes\n StrictHostKeyChecking yes\n UserKnownHostsFile {tmp_path / "known_hosts"}\n',
        encoding='utf-8',
    )
    pytest_words = [sys.executable, '-m', 'pytest', '-q', '-p', 'no:cacheprovider']
    done = sandbox.run(*pytest_words, '--hosts=ssh://node', f'--ssh-config={config}', CHECKS, timeout=CHECK_SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
