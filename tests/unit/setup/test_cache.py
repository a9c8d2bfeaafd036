"""Cache entries are complete or absent, whatever happens while they are made."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from scs_setup import cache
from scs_setup.problems import SetupProblem

pytestmark = pytest.mark.unit


def test_key_depends_on_each_part_and_its_border() -> None:
    keys = {cache.digest('ab', 'c'), cache.digest('a', 'bc'), cache.digest('abc'), cache.digest('abc', '')}
    assert len(keys) == 4
    assert cache.digest('ab', b'c') == cache.digest(b'ab', 'c')


def test_made_once(tmp_path: Path) -> None:
    made = []

    def make(directory: Path) -> None:
        made.append(directory)
        (directory / 'content').write_text('x')

    for _ in range(2):
        entry = cache.ensure(tmp_path, 'thing', 'key', make)
        assert entry == tmp_path / 'thing-key'
        assert (entry / 'content').read_text() == 'x'
    assert len(made) == 1
    assert made[0] != entry


def test_what_was_taken_lately_stays(tmp_path: Path) -> None:
    """Only entries and their locks may go, not what commands keep in directories of other names."""
    now, day = time.time(), 24 * 60 * 60
    used = cache.ensure(tmp_path, 'tools', '0' * 16, lambda directory: None)
    old = cache.ensure(tmp_path, 'image-1.34', '1' * 16, lambda directory: None)
    for name in ('charts', f'{old.name}.lock', f'{used.name}.lock', 'gone-' + '2' * 16 + '.lock'):
        (tmp_path / name).touch()
    for path in tmp_path.iterdir():
        os.utime(path, (now - 20 * day, now - 20 * day))
    assert cache.ensure(tmp_path, 'tools', '0' * 16, lambda directory: None) == used  # which is to take it
    left = {old.name, f'{old.name}.lock', 'gone-' + '2' * 16 + '.lock'}
    assert cache.unused(tmp_path, 14, now) == left
    (tmp_path / ('made-' + '3' * 16 + '.lock')).touch()  # by a command that makes this one now
    assert cache.unused(tmp_path, 14, now) == left
    assert cache.unused(tmp_path, 21, now) == set()


def test_failure_leaves_nothing_and_the_next_try_succeeds(tmp_path: Path) -> None:
    def fail(directory: Path) -> None:
        (directory / 'half').write_text('x')
        raise SetupProblem('what', 'answer', 'next')

    with pytest.raises(SetupProblem):
        cache.ensure(tmp_path, 'thing', 'key', fail)
    assert [path.name for path in tmp_path.iterdir()] == ['locks']
    assert cache.ensure(tmp_path, 'thing', 'key', lambda directory: None).is_dir()


def _slow(root: Path, started: Path) -> None:
    def make(directory: Path) -> None:
        (directory / 'half').write_text('x')
        started.touch()
        time.sleep(30)

    cache.ensure(root, 'thing', 'key', make)


def test_killed_run_is_cleaned_by_the_next_one(tmp_path: Path) -> None:
    root, started = tmp_path / 'cache', tmp_path / 'started'
    root.mkdir()
    process = multiprocessing.get_context('fork').Process(target=_slow, args=(root, started))
    process.start()
    while not started.exists():
        assert process.is_alive()
        time.sleep(0.01)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert list(root.glob('.thing-key.*/half'))
    entry = cache.ensure(root, 'thing', 'key', lambda directory: (directory / 'whole').touch())
    assert [path.name for path in entry.iterdir()] == ['whole']
    assert sorted(path.name for path in root.iterdir()) == ['locks', 'thing-key']


def _append(root: Path, journal: Path) -> None:
    def make(directory: Path) -> None:
        with journal.open('a') as file:
            file.write('made\n')
        time.sleep(0.2)

    cache.ensure(root, 'thing', 'key', make)


def test_concurrent_runs_make_it_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context('fork')
    journal = tmp_path / 'journal'
    processes = [context.Process(target=_append, args=(tmp_path / 'cache', journal)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
        assert process.exitcode == 0
    assert journal.read_text() == 'made\n'


def test_a_lock_held_for_too_long_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / 'lock'
    with path.open('w') as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(SetupProblem) as caught, cache.locked(path, 'thing', seconds=0.1):
            pass
    assert str(path) in str(caught.value)
    assert 'next: wait' in str(caught.value)


def test_directory_that_cannot_be_written_is_an_error_in_four_parts(tmp_path: Path) -> None:
    (tmp_path / 'file').write_text('')
    with pytest.raises(SetupProblem) as caught:
        cache.ensure(tmp_path / 'file', 'thing', 'key', lambda directory: None)
    assert 'cannot make the cache entry' in str(caught.value)
    assert 'XDG_CACHE_HOME' in str(caught.value)


def test_sandboxes_are_seen_by_their_namespaces(tmp_path: Path) -> None:
    for name in ('scs-sandbox-a', 'scs-sandbox-a-net-1', 'scs-sandbox-b', 'other'):
        (tmp_path / name).touch()
    assert cache.sandboxes(tmp_path) == ['a', 'b']
    assert cache.sandboxes(tmp_path / 'none') == []


def test_prune_removes_all_but_the_named(tmp_path: Path) -> None:
    for name in ('a-1', 'b-2', '.c-3.tmp', 'locks'):
        (tmp_path / name).mkdir()
    (tmp_path / 'file').touch()
    assert cache.prune(tmp_path, keep={'b-2'}) == ['.c-3.tmp', 'a-1', 'file']
    assert sorted(path.name for path in tmp_path.iterdir()) == ['b-2', 'locks']
    assert cache.prune(tmp_path / 'none', keep=set()) == []
