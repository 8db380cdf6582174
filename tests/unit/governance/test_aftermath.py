"""A restore never raises autonomy, whatever the backup and the rest of the world say."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from governance import phases
from governance.autonomy import Autonomy
from schemas.governance import LADDER
from tests.desks import NOON

names = st.lists(st.sampled_from("ABCDE"), unique=True).map(tuple)
states = st.builds(
    Autonomy,
    phase=st.sampled_from(LADDER),
    phase_start_date=st.just(NOON),
    command_whitelist=names,
    paused_command_types=names,
    epoch=st.integers(1, 1_000),
)


@given(backup=states, others=st.lists(states, max_size=3))
def test_a_restored_state_allows_no_more_than_any_of_them(
    backup: Autonomy, others: list[Autonomy]
) -> None:
    """At most the lowest phase, what all allow, without what any paused, in a newer epoch."""
    found = phases.restored(backup, others, NOON)
    for one in (backup, *others):
        assert found.phase.rank <= one.phase.rank
        assert set(found.command_whitelist) <= set(one.command_whitelist)
        assert set(found.paused_command_types) >= set(one.paused_command_types)
        assert found.epoch > one.epoch


@given(backup=states)
def test_alone_a_backup_comes_up_as_it_was(backup: Autonomy) -> None:
    """Nothing else known, only the epoch moves."""
    found = phases.restored(backup, [], NOON)
    assert found.at_epoch(backup.epoch).view(NOON).command_whitelist == list(
        backup.command_whitelist
    )
    assert (found.phase, found.phase_start_date) == (backup.phase, backup.phase_start_date)
    assert found.epoch == backup.epoch + 1
