"""The check knows the release before from Git, and chart repositories from index files."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from stack_tools import EXAMPLE, scs_ci

from scs_ci.core.errors import UsageProblem
from scs_ci.stack import discover, previous

pytestmark = pytest.mark.integration
STACK = 'providers/openstack/example'
PLACE = discover.Place(STACK, 'A')


def git(directory: Path, *words: str) -> None:
    identity = ['-c', 'user.name=t', '-c', 'user.email=t@example.org', '-c', 'commit.gpgsign=false']
    subprocess.run(['git', '-C', directory, *identity, *words], check=True, capture_output=True, timeout=60)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """The example in a repository of its own, as it was at the tag `before`."""
    checkout = tmp_path / 'checkout'
    shutil.copytree(EXAMPLE, checkout)
    git(checkout, 'init', '-q')
    git(checkout, 'add', '-A')
    git(checkout, 'commit', '-q', '-m', 'x')
    git(checkout, 'tag', 'before')
    return checkout


def edit(checkout: Path, file: str, old: str, new: str) -> None:
    path = checkout / STACK / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_a_stack_is_read_from_git_as_from_the_disk(repository: Path) -> None:
    now = discover.load(repository, PLACE)
    (repository / STACK / 'csctl.yaml').unlink()

    before = previous.load(repository, PLACE, 'before')

    assert before is not None
    assert dict(before.files) == dict(now.files)
    assert previous.load(repository, discover.Place('providers/openstack/other', 'A'), 'before') is None
    with pytest.raises(UsageProblem, match='nosuch'):
        previous.load(repository, PLACE, 'nosuch')


def test_the_upgrade_is_judged_against_a_revision(repository: Path, tools: Path) -> None:
    words = ['check', repository, '--tools', tools, '--select', 'upgrade-*', '--format', 'json']
    assert json.loads(scs_ci(*words, '--against', 'before').stdout)['findings'] == []
    edit(repository, 'csctl.yaml', 'v1.34.', 'v1.36.')
    edit(repository, 'clusteraddon.yaml', 'name: ccm', 'name: cni')

    judged = scs_ci(*words, '--against', 'before')

    rules = {(f['rule'], f['severity'], f['file']) for f in json.loads(judged.stdout)['findings']}
    assert ('upgrade-version', 'warning', f'{STACK}/csctl.yaml') in rules
    assert ('upgrade-addons', 'warning', f'{STACK}/clusteraddon.yaml') in rules
    assert json.loads(scs_ci(*words).stdout)['findings'] == []
    assert scs_ci(*words, '--against', 'nosuch').returncode == 2


def test_versions_are_looked_up_in_index_files(repository: Path, tools: Path, tmp_path: Path) -> None:
    repository_url = 'https://charts.example/stable'
    (tmp_path / 'charts.example_stable.yaml').write_text(
        'generated: "2026-05-01T00:00:00Z"\nentries:\n  flannel: [{version: 0.1.0}, {version: 0.1.2}]\n'
    )
    edit(repository, 'cluster-addon/cni/Chart.yaml', 'file://../../../../../charts/flannel', repository_url)
    words = ['check', repository, '--tools', tools, '--offline', '--select', 'chart-index', '--format', 'json']

    found = scs_ci(*words, '--indexes', tmp_path)
    edit(repository, 'cluster-addon/cni/Chart.yaml', 'version: 0.1.0', 'version: 0.1.1')
    missing = scs_ci(*words, '--indexes', tmp_path)

    assert (found.returncode, missing.returncode) == (0, 1), missing.stderr
    (finding,) = json.loads(missing.stdout)['findings']
    assert (finding['seen'], finding['wanted']) == ('0.1.1', '0.1.0, 0.1.2')
    assert scs_ci(*words, '--indexes', '/nonexistent').returncode == 2
