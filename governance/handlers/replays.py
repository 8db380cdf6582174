"""Requests under an ``Idempotency-Key``: begun once, answered the same ever after."""

from __future__ import annotations

from governance.desk import Desk
from governance.replays import ABANDONED, KEPT, Answer, Asked
from schemas.errors import KeyInFlight, KeyReused


def begin_request(desk: Desk, asked: Asked, *, lowers: bool = False) -> Answer | None:
    """Return the answer that *asked* got before, or None if it is to be worked on now.

    Keys older than a day are freed first. A request that *lowers* autonomy goes before others, and
    needs no lease; it has its key also in a database that was lost: the act itself says that it is
    not kept.

    Raises:
        Standby: another service is the active one.
        KeyReused: the key was used for another request.
        KeyInFlight: the first request is being worked on.
        Unavailable: the database is busy or away.
    """
    now = desk.clock()
    with desk.store.writing(lowers=lowers, keeps=False, needs_lease=not lowers) as unit:
        unit.replays.prune(now - KEPT)
        found = unit.replays.find(asked)
        if found is not None:
            request, since, answer = found
            if request != asked.request:
                raise KeyReused
            if answer is not None:
                return answer
            # Either way: a clock that was set back must not hold the key for an hour.
            if abs(now - since) < ABANDONED:
                raise KeyInFlight(
                    "the first request with this key is being worked on",
                    allowed_when="repeat it in a moment",
                )
            unit.replays.forget(asked)
        unit.replays.begin(asked, now)
    return None


def finish_request(desk: Desk, asked: Asked, answer: Answer, *, lowers: bool = False) -> None:
    """Keep what *asked* was answered; a failure of ours is not kept, so that it can be repeated.

    Raises:
        Unavailable: the database is busy or away.
    """
    with desk.store.writing(keeps=False, needs_lease=not lowers) as unit:
        if answer.status >= 500:
            unit.replays.forget(asked)
        else:
            unit.replays.finish(asked, answer)
