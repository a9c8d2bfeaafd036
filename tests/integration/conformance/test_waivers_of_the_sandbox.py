"""Conformance specs that cannot pass in the sandbox, held against the real list: they must not grow unnoticed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scs_ci.conformance import selection, waivers
from scs_ci.conformance.e2e_test import E2eTest

ROOT = Path(__file__).resolve().parents[3]
MINOR = '1.34'
# The first time the specs are compiled, which takes minutes.
SECONDS = 3000
# Whole names of the specs that are waived.
KNOWN: list[str] = []

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(SECONDS + 120)]


@pytest.fixture(scope='module')
def specs() -> list[str]:
    argv = [sys.executable, str(ROOT / 'setup/main.py'), 'tools', '--set', f'e2e-{MINOR}']
    done = subprocess.run(argv, capture_output=True, text=True, timeout=SECONDS, check=True)
    runner = E2eTest(f'{done.stdout.strip()}/bin', MINOR)
    assert runner.version().startswith(f'v{MINOR}.')
    return list(runner.specs())


def test_the_selections_have_their_sizes(specs: list[str]) -> None:
    sizes = {name: len(selection.chosen(chosen, specs)) for name, chosen in selection.SELECTIONS.items()}
    assert sizes == {'smoke': 39, 'quick': 115, 'parallel': 395, 'certified': 424}


def test_only_known_specs_are_waived_and_none_of_smoke(specs: list[str]) -> None:
    given = waivers.read(ROOT / 'sandbox/waivers.yaml')
    waived = [[spec for spec in specs if waivers.forgiving(spec, [waiver])] for waiver in given]
    assert waived == [[name] for name in KNOWN], 'each waiver is for one spec'
    smoke = set(selection.chosen(selection.named('smoke'), specs))
    assert not smoke & set(KNOWN), 'a pull request needs no waiver'
