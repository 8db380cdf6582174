"""Sight: nothing is allowed more while nobody sees what executors do."""

from __future__ import annotations

from governance.desk import Desk
from schemas.errors import StreamBlind


def check_sees(desk: Desk) -> None:
    """Check that the stream is seen, before autonomy rises in any way.

    Raises:
        StreamBlind: it is not; says why.
    """
    reason = desk.blindness()
    if reason is not None:
        raise StreamBlind(f"the stream is blind: {reason}")
