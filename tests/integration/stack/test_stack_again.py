"""A second check asks no program what has been asked before, says the same, and asks again whatever has changed."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest
from stack_tools import EXAMPLE, scs_ci

pytestmark = pytest.mark.integration
STACK = 'providers/openstack/example'
BOTH = Counter(chartrender=2, classcheck=2)


class Checks:
    """Checks of a copy of the example, with programs that write down that they were started."""

    def __init__(self, place: Path, tools: Path) -> None:
        self.checkout = Path(shutil.copytree(EXAMPLE, place / 'checkout'))
        self._tools, self._started, self._cache = place / 'tools', place / 'started', place / 'cache'
        (self._tools / 'bin').mkdir(parents=True)
        (self._tools / 'manifests-src').symlink_to(tools / 'manifests-src')
        for name in ('helm', *BOTH):
            wrapper = self._tools / 'bin' / name
            wrapper.write_text(f'#!/bin/sh\necho {name} >> {self._started}\nexec {tools / "bin" / name} "$@"\n')
            wrapper.chmod(0o755)

    def __call__(self, *words: str) -> tuple[Counter[str], int, str]:
        """Started programs, exit code and what was printed."""
        self._started.write_text('')
        done = scs_ci('check', self.checkout, '--tools', self._tools, '--json', *words, XDG_CACHE_HOME=str(self._cache))
        return Counter(self._started.read_text().split()), done.returncode, done.stdout

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.checkout / STACK / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))


@pytest.fixture
def checks(tmp_path: Path, tools: Path) -> Checks:
    return Checks(tmp_path, tools)


def test_nothing_is_asked_twice_unless_it_is_wanted(checks: Checks) -> None:
    asked, code, said = checks()
    assert (asked, code) == (BOTH, 0)
    assert checks() == (Counter(), 0, said)
    assert checks('--no-cache') == (BOTH, 0, said)


def test_an_edited_class_is_asked_about_without_the_addons_and_its_defect_is_found_each_time(checks: Checks) -> None:
    checks()
    checks.edit('cluster-class/templates/cluster-class.yaml', 'kind: KubeadmControlPlaneTemplate', 'kind: Nothing')
    asked, code, said = checks()
    assert (asked, code) == (Counter(chartrender=1, classcheck=1), 1)
    assert 'Nothing' in said
    assert checks() == (Counter(), 1, said)
