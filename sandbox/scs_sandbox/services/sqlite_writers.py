"""SQLite under several threads: what WAL, the journal mode of the databases, does not do for them.

oslo.db opens a deferred transaction; when it reads first and writes later, SQLite refuses the upgrade at once
("database is locked"), whatever the timeout, if another writer came between. So writer sessions start with
BEGIN IMMEDIATE and queue instead. This wraps a private method of oslo.db, which has a test of its own.

oslo.db also opens a connection for each transaction of SQLite, and sets it up; a sixth of the time of a request goes
into that. Connections are kept instead, as with any other database.
"""

from __future__ import annotations

import threading
import types
import weakref
from typing import Any

from oslo_db.sqlalchemy import enginefacade, engines
from sqlalchemy import event, orm, pool

_MODE = 'scs_sandbox_mode'
_YIELDS = 'scs_sandbox_yields'
_THREAD = threading.local()  # holder: the session of this thread that began immediately


class Kept(pool.QueuePool):
    """Keeps as many connections as threads use at once, and never makes one wait: it may hold what others wait for."""

    def __init__(self, creator: Any, **settings: Any) -> None:
        super().__init__(creator, pool_size=10, max_overflow=-1, **settings)


def install(keep: bool = True) -> None:
    """Make every writer session of this process begin immediately, and keep connections. Once per process."""
    factory = enginefacade._TransactionFactory
    original = factory._create_session

    def create_session(self: Any, mode: Any, *args: Any, **kwargs: Any) -> Any:
        session = original(self, mode, *args, **kwargs)
        session.info[_MODE] = mode
        return session

    factory._create_session = create_session
    if keep:  # oslo.db names the pool of SQLite in its code
        engines.pool = types.SimpleNamespace(**{**vars(pool), 'NullPool': Kept})
    event.listen(orm.Session, 'after_begin', _begin_immediately)
    event.listen(orm.Session, 'after_transaction_end', _ended)


def install_for(maker: Any) -> None:
    """Make every session of a sessionmaker begin immediately: Octavia takes its sessions from one.

    Not one inside of another of the same thread, which would wait for itself. Octavia's providers open such, to read.
    """
    maker.configure(info={_MODE: enginefacade._WRITER, _YIELDS: True})


def _begin_immediately(session: Any, transaction: Any, connection: Any) -> None:
    writer = session.info.get(_MODE) is enginefacade._WRITER
    if transaction.nested or connection.dialect.name != 'sqlite' or not writer:
        return
    if session.info.get(_YIELDS):
        if _holder() not in (None, session):
            return
        _THREAD.holder = weakref.ref(session)
    raw = connection.connection.dbapi_connection
    raw.execute('COMMIT')
    raw.execute('BEGIN IMMEDIATE')


def _ended(session: Any, transaction: Any) -> None:
    if transaction.parent is None and _holder() is session:
        _THREAD.holder = None


def _holder() -> Any:
    reference = getattr(_THREAD, 'holder', None)
    return reference() if reference else None
