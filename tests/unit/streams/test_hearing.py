"""No record is counted before what people decided about its moment is known."""

from __future__ import annotations

import asyncio

import pytest

from streams.batch import Batch
from streams.hearing import Hearing
from tests.unit.streams.facts import NOON, batch, covering

LEAD = 750


def records(time: int, *, start: int = 0) -> Batch:
    """Return two records, the later of which came at *time*."""
    return batch([b"", b""], times=[time - 9, time], start=start)


async def waits(hearing: Hearing, records: Batch) -> bool:
    """Return whether *records* must wait for the next answer."""
    task = asyncio.create_task(hearing.wait_for(records))
    await asyncio.sleep(0)
    task.cancel()
    return not task.done()


@pytest.mark.parametrize(("later", "must_wait"), [(0, False), (LEAD, False), (LEAD + 1, True)])
async def test_an_answer_holds_a_lead_beyond_what_was_read_of(later: int, must_wait: bool) -> None:
    """Decisions take effect some time after they are made; one millisecond more is too far."""
    hearing = Hearing(LEAD)
    hearing.answer(NOON, {})
    assert await waits(hearing, records(NOON + later)) == must_wait


async def test_a_stretch_without_records_waits_for_nothing() -> None:
    """Nothing in it can be counted by a rule that is not known yet."""
    assert not await waits(Hearing(LEAD), covering(batch([]), 4, 9))


@pytest.mark.parametrize(("end", "must_wait"), [(4, False), (3, True), (0, True)])
async def test_what_lay_in_the_log_before_the_question_is_covered(
    end: int, must_wait: bool
) -> None:
    """Whatever its moment: all of the batch must lie below the end that was known."""
    hearing = Hearing(LEAD)
    hearing.answer(0, {0: end, 1: 99})
    assert await waits(hearing, records(NOON, start=2)) == must_wait


async def test_before_the_first_answer_everything_waits() -> None:
    """A worker that has just started knows nothing yet."""
    assert await waits(Hearing(LEAD), records(NOON))


async def test_what_waits_is_asked_about_next() -> None:
    """Its moment is the latest that was read of, so the next answer lets it go on."""
    hearing = Hearing(LEAD)
    waiting = asyncio.create_task(hearing.wait_for(records(NOON)))
    await asyncio.sleep(0)
    hearing.answer(NOON - LEAD - 1, {})
    await asyncio.sleep(0)
    assert not waiting.done()
    assert hearing.latest == NOON
    hearing.answer(hearing.latest, {})
    await waiting


async def test_an_older_answer_takes_nothing_back() -> None:
    """What is known stays known."""
    hearing = Hearing(LEAD)
    hearing.answer(NOON, {0: 9})
    hearing.answer(0, {0: 1})
    assert not await waits(hearing, records(NOON))
    assert not await waits(hearing, records(NOON * 2, start=7))


async def test_nothing_is_counted_while_a_rule_is_lacking() -> None:
    """What lay in the log before is not covered either, until the rule is known again."""
    hearing = Hearing(LEAD)
    hearing.answer(NOON, {0: 99})
    hearing.is_held = True
    assert await waits(hearing, records(NOON))
    task = asyncio.create_task(hearing.wait_for(records(NOON)))
    await asyncio.sleep(0)
    hearing.is_held = False
    hearing.answer(NOON, {})
    await task
