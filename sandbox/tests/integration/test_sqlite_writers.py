"""Transactions of several threads on one SQLite file through oslo.db, in the environment of the services."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from scs_sandbox import environments

pytestmark = pytest.mark.integration
SANDBOX = Path(__file__).resolve().parents[2]
THREADS, ROUNDS = 8, 25
# Reads first and writes what it read: two of them at once are what SQLite refuses without the cure.
SCRIPT = """
import json, sys, threading
import sqlalchemy as sa
from oslo_db.sqlalchemy import enginefacade
from scs_sandbox.services import sqlite_writers

sqlite_writers.install()


manager = enginefacade.transaction_context()
manager.configure(connection='sqlite:///' + sys.argv[1], sqlite_synchronous=False)
opened, errors = [], []

@enginefacade.transaction_context_provider
class Context:
    pass

with manager.writer.using(Context()) as session:
    sa.event.listen(session.get_bind(), 'connect', lambda *new: opened.append(new))
    session.execute(sa.text('CREATE TABLE counter (n INTEGER)'))
    session.execute(sa.text('INSERT INTO counter VALUES (0)'))

def count():
    try:
        for _ in range(int(sys.argv[3])):
            with manager.writer.using(Context()) as session:
                n = session.execute(sa.text('SELECT n FROM counter')).scalar()
                session.execute(sa.text('UPDATE counter SET n = :n'), {'n': n + 1})
    except Exception as error:
        errors.append(repr(error))

threads = [threading.Thread(target=count) for _ in range(int(sys.argv[2]))]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
with manager.reader.using(Context()) as session:
    counted = session.execute(sa.text('SELECT n FROM counter')).scalar()
print(json.dumps({'counted': counted, 'opened': len(opened), 'errors': errors}))
"""


def test_threads_that_read_and_write_lose_nothing_and_keep_their_connections(tmp_path: Path) -> None:
    python = environments.openstack() / 'bin/python'
    words = [python, '-c', SCRIPT, tmp_path / 'file.sqlite', str(THREADS), str(ROUNDS)]
    done = subprocess.run(words, cwd=SANDBOX, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told['errors'], told['counted']) == ([], THREADS * ROUNDS)
    assert told['opened'] <= THREADS, 'one for each thread, not for each transaction'
