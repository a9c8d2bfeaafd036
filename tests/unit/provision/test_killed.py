"""kill -9 right after the cloud carried out a call, once per kind of call: the answer never arrives, no thread does
anything more. A new process with the same run id converges, and a purge leaves nothing; others lose nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from provision_world import World, world

pytestmark = [pytest.mark.unit, pytest.mark.slow]

MADE = ('network', 'subnet', 'router', 'security_group')
POST = 'POST compute /v2.1/servers'


def kinds(place: Path, work: str) -> dict[str, int]:
    """Each kind of call of a piece of work that nobody kills, with the number of calls before its first."""
    with world(place) as one:
        if work == 'purge':
            one.provision()
        since = len(one.cloud.log)
        getattr(one, work)()
        found: dict[str, int] = {}
        for number, entry in enumerate(one.cloud.log[since:]):
            found.setdefault(entry.kind, number)
        return found


def killed(tmp_path: Path, work: str, starting: str = '') -> Iterator[tuple[str, World]]:
    """A world per kind of call, in which the process was killed when the cloud had carried out the first of them."""
    for kind, number in kinds(directory(tmp_path, 'whole'), work).items():
        if not kind.startswith(starting):
            continue
        with world(directory(tmp_path, str(number))) as one:
            if work == 'purge':
                one.provision()
            wanted = len(one.cloud.log) + number
            one.cloud.killer = lambda line, after, wanted=wanted: after and line == wanted  # type: ignore[misc]
            with one.cloud.process() as ends:
                getattr(one, work)()
            assert ends, kind
            assert one.cloud.log[wanted].kind == kind
            yield kind, one


def directory(tmp_path: Path, name: str) -> Path:
    (tmp_path / name).mkdir()
    return tmp_path / name


def demand_nothing_left(one: World, kind: str) -> None:
    assert one.purge().kept == (), kind
    assert one.left() == set(), kind
    assert one.missing() == frozenset(), kind


def test_provision_is_killed_and_run_again(tmp_path: Path) -> None:
    count = 0
    for kind, one in killed(tmp_path, 'provision'):
        result = one.provision()
        names = sorted(node.name for node in result.nodes)
        assert len(names) == 2, kind
        assert sorted(server['name'] for server in one.own('server')) == names, kind
        assert len(one.own('floatingip')) == 2, kind
        assert [len(one.own(made)) for made in MADE] == [1] * len(MADE), kind
        demand_nothing_left(one, kind)
        count += 1
    assert count >= 20


def test_provision_is_killed_and_nobody_runs_it_again(tmp_path: Path) -> None:
    count = 0
    for kind, one in killed(tmp_path, 'provision', 'P'):  # POST and PUT: whatever changes something
        demand_nothing_left(one, kind)
        count += 1
    assert count >= 10


def test_purge_is_killed(tmp_path: Path) -> None:
    count = 0
    for kind, one in killed(tmp_path, 'purge'):
        demand_nothing_left(one, kind)
        count += 1
    assert count >= 20


def test_a_killed_process_does_nothing_more(tmp_path: Path) -> None:
    for kind, one in killed(tmp_path, 'provision', POST):
        lines = len(one.cloud.log)
        one.cloud.turns.sleep(1000.0)
        assert len(one.cloud.log) == lines, kind
        assert 0 < one.cloud.calls()[POST] <= 2
        assert one.own('server')
