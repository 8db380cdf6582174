"""From which T on a partition that was added counts, worked out from the log of tallies alone."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.tallies import STEP, Cuts


def joins_of(messages: Iterable[Cuts]) -> dict[int, int]:
    """Return the partitions that were added, and the T (ms) from which one judge counts each.

    The first message names those with which judging began. Whatever is named later counts from
    the T after all that anybody could have judged by then.
    """
    named, judged = 0, 0
    joins: dict[int, int] = {}
    upto: dict[int, int] = {}
    for message in messages:
        if judged:
            new = range(named, message.partition + 1)
            joins |= dict.fromkeys(new, judged + STEP)
        named = max(named, message.partition + 1)
        for cut in message.cuts:
            upto[message.partition] = max(upto.get(message.partition, 0), cut.upto)
        known = [max(upto.get(one, 0), joins.get(one, STEP) - STEP) for one in range(named)]
        if all(known):
            judged = max(judged, min(known))
    return joins
