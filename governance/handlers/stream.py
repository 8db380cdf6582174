"""What is told about the stream itself: that nobody sees it, and that somebody does again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from governance import alerts
from governance.desk import Desk
from governance.handlers.changes import publish_alert
from schemas.wire import to_ms


def tell_blind(desk: Desk, since: datetime, *, reason: str) -> None:
    """Tell subscribers that the stream is blind since *since*.

    Raises:
        Unavailable: the database is busy or away; telling again is safe.
    """
    now = desk.clock()
    with desk.store.writing() as unit:
        epoch = unit.autonomy.load().epoch
        publish_alert(unit, alerts.stream_blind(since, reason=reason, epoch=epoch), now)


def tell_unjudged(desk: Desk, names: Mapping[str, str]) -> None:
    """Tell subscribers of rules (with the reason) that are in force and that nobody judges by.

    Raises:
        Unavailable: the database is busy or away; telling again is safe.
    """
    now = desk.clock()
    with desk.store.writing() as unit:
        epoch = unit.autonomy.load().epoch
        for name, reason in names.items():
            last = unit.rules.newest(name)
            cause = f"rule:{last.key if last else name}:unjudged:{to_ms(now)}"
            alert = alerts.rule_unjudged(name, reason, cause=cause, epoch=epoch, at=now)
            publish_alert(unit, alert, now)


def tell_sees(desk: Desk, since: datetime) -> None:
    """Tell subscribers that the blindness that began at *since* is over.

    Raises:
        Unavailable: the database is busy or away; telling again is safe.
    """
    now = desk.clock()
    with desk.store.writing() as unit:
        epoch = unit.autonomy.load().epoch
        publish_alert(unit, alerts.stream_sees(since, now, epoch=epoch), now)
