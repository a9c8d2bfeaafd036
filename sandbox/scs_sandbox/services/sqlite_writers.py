"""SQLite under several threads, the half of the cure that needs code (the other is the journal mode WAL).

oslo.db opens a deferred transaction; when it reads first and writes later, SQLite refuses the upgrade at once
("database is locked"), whatever the timeout, if another writer came between. So writer sessions start with
BEGIN IMMEDIATE and queue instead. This wraps a private method of oslo.db, which has a test of its own.
"""

from __future__ import annotations

from typing import Any

from oslo_db.sqlalchemy import enginefacade
from sqlalchemy import event, orm

_MODE = 'scs_sandbox_mode'


def install() -> None:
    """Make every writer session of this process begin immediately. Once per process."""
    factory = enginefacade._TransactionFactory
    original = factory._create_session

    def create_session(self: Any, mode: Any, *args: Any, **kwargs: Any) -> Any:
        session = original(self, mode, *args, **kwargs)
        session.info[_MODE] = mode
        return session

    factory._create_session = create_session
    event.listen(orm.Session, 'after_begin', _begin_immediately)


def _begin_immediately(session: Any, transaction: Any, connection: Any) -> None:
    writer = session.info.get(_MODE) is enginefacade._WRITER
    if transaction.nested or connection.dialect.name != 'sqlite' or not writer:
        return
    raw = connection.connection.dbapi_connection
    raw.execute('COMMIT')
    raw.execute('BEGIN IMMEDIATE')
