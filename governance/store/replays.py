"""Answers under their ``Idempotency-Key``, in the database."""

from __future__ import annotations

import json
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select, update

from governance.replays import Answer, Asked
from governance.store.ladder_tables import idempotency_keys
from governance.store.moments import read_moment
from schemas.wire import iso

_TABLE = idempotency_keys.c


class ReplayShelf:
    """Reads and writes ``idempotency_keys``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def begin(self, asked: Asked, now: datetime) -> None:
        """Write that a request began; its key must be free."""
        self._connection.execute(
            insert(idempotency_keys).values(
                principal=asked.principal,
                key=asked.key,
                request=asked.request,
                created_at=iso(now),
            )
        )

    def find(self, asked: Asked) -> tuple[str, datetime, Answer | None] | None:
        """Return what the key of *asked* was used for, since when, and the answer if it has one."""
        wanted = select(idempotency_keys).where(_is(asked))
        row = self._connection.execute(wanted).mappings().first()
        if row is None:
            return None
        answer = None
        if row["status"] is not None:
            headers = tuple((name, value) for name, value in json.loads(row["headers"]))
            answer = Answer(row["status"], headers, row["body"].encode())
        return row["request"], read_moment(row["created_at"]), answer

    def finish(self, asked: Asked, answer: Answer) -> None:
        """Keep the answer."""
        self._connection.execute(
            update(idempotency_keys)
            .where(_is(asked))
            .values(
                status=answer.status,
                headers=json.dumps(answer.headers),
                body=answer.body.decode(),
            )
        )

    def forget(self, asked: Asked) -> None:
        """Free a key."""
        self._connection.execute(delete(idempotency_keys).where(_is(asked)))

    def prune(self, before: datetime) -> None:
        """Free every key that was used before a moment."""
        self._connection.execute(delete(idempotency_keys).where(_TABLE.created_at < iso(before)))


def _is(asked: Asked) -> ColumnElement[bool]:
    """Return what names the row of *asked*; nobody meets another's key."""
    return and_(_TABLE.principal == asked.principal, _TABLE.key == asked.key)
