"""Checkouts of the Kubernetes minor before, which clusters are made of that are upgraded to a new one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from scs_setup import before, e2e, paths, stages
from scs_setup.problems import SetupProblem

pytestmark = pytest.mark.unit
STACK = 'providers/openstack/example'
EXAMPLE = paths.CHECKOUT / stages.EXAMPLE


def test_the_minor_before_is_the_one_that_machines_are_built_of() -> None:
    assert before.of('v1.34.7').startswith('v1.33.')
    with pytest.raises(SetupProblem, match='Kubernetes 1.32 is not among those') as caught:
        before.of('v1.33.1')
    assert 'UPGRADE=1' in str(caught.value)


def test_nothing_but_the_version_and_the_name_of_the_class_chart_differ(tmp_path: Path) -> None:
    for _ in range(2):  # a second run in the same directory
        made = before.write(EXAMPLE, {'v1.34.10': [STACK]}, tmp_path / 'run-before')
    assert list(made.values()) == [[STACK]]
    (version,) = made
    differs = [
        file.relative_to(EXAMPLE)
        for file in EXAMPLE.rglob('*')
        if file.is_file() and file.read_bytes() != (tmp_path / 'run-before' / file.relative_to(EXAMPLE)).read_bytes()
    ]
    assert sorted(differs) == [Path(STACK, before.CHART), Path(STACK, before.DECLARED)]
    old, new = ((place / STACK / before.CHART).read_text() for place in (EXAMPLE, tmp_path / 'run-before'))
    assert new == old.replace('example-1-34-cluster-class', 'example-1-33-cluster-class') != old
    old, new = ((place / STACK / before.DECLARED).read_text() for place in (EXAMPLE, tmp_path / 'run-before'))
    assert old != new == old.replace('v1.34.10', version)


def test_history_stays_behind(tmp_path: Path) -> None:
    (tmp_path / 'checkout/a').mkdir(parents=True)
    (tmp_path / 'checkout/.git').mkdir()
    (tmp_path / 'checkout/a/csctl.yaml').write_text("config:\n  kubernetesVersion: '1.34.2'\n")
    before.write(tmp_path / 'checkout', {'v1.34.2': ['a']}, tmp_path / 'copy')
    assert [path.name for path in (tmp_path / 'copy').iterdir()] == ['a']
    assert f"kubernetesVersion: '{before.of('v1.34.2')}'" in (tmp_path / 'copy/a/csctl.yaml').read_text()


@pytest.mark.parametrize(('text', 'said'), [(None, 'it has no csctl.yaml'), ('config: {}\n', 'has 0 lines')])
def test_a_stack_that_declares_no_version_is_named(tmp_path: Path, text: str | None, said: str) -> None:
    (tmp_path / 'checkout/a').mkdir(parents=True)
    if text:
        (tmp_path / 'checkout/a/csctl.yaml').write_text(text)
    with pytest.raises(SetupProblem, match='the release before of a') as caught:
        before.write(tmp_path / 'checkout', {'v1.34.2': ['a']}, tmp_path / 'copy')
    assert said in str(caught.value)


def told(asked: e2e.Request) -> dict[str, object]:
    values: dict[str, object] = {}
    for word in e2e.extra_variables(asked, '/run'):
        values |= json.loads(word) if word.startswith('{') else {}
    return values


def test_the_playbook_deploys_the_copy_and_upgrades_to_the_checkout(tmp_path: Path) -> None:
    asked = e2e.request({'UPGRADE': 'minor', 'CHANGED_SINCE': 'main'})
    assert 'upgrade_to' not in told(asked)
    made = replace(asked, before=str(tmp_path), before_stacks=('a', 'b'))
    values = told(made)
    assert (values['checkout'], values['upgrade_to'], values['stacks']) == (str(tmp_path), str(EXAMPLE), 'a,b')
    assert 'changed_since' not in values, 'the copy has no history'
    assert values['repeat'] == 'make e2e CHANGED_SINCE=main UPGRADE=minor'
