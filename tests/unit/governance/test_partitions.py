"""What health says of the topics' partitions."""

from __future__ import annotations

import pytest

from governance.health import Health
from governance.partitions import check_of
from schemas.settings import Settings


@pytest.mark.parametrize(
    ("events", "changelog", "tallies", "judges", "status", "said"),
    [
        (8, 8, 4, 4, Health.HEALTHY, None),
        (8, 8, 4, 0, Health.HEALTHY, None),
        (1, 8, 4, 4, Health.HEALTHY, None),
        (16, 8, 4, 4, Health.DEGRADED, "t.command-events has 16 partitions and t.tally-changelog"),
        (8, 8, 6, 4, Health.HEALTHY, "t.tallies has 6 partitions and 4 of them are used"),
        (8, 8, 2, 4, Health.DEGRADED, "somebody made it anew"),
        (0, 0, 0, 0, Health.HEALTHY, None),
    ],
)
def test_health_says_which_partitions_nobody_counts_or_uses(
    events: int, changelog: int, tallies: int, judges: int, status: Health, said: str | None
) -> None:
    """What workers take up, what they leave, and what they cannot go on with."""
    widths = {"command-events": events, "tally-changelog": changelog, "tallies": tallies}
    check = check_of(Settings(_env_file=None, topic_prefix="t."), widths, judges)
    assert check.status is status
    assert (check.message is None) == (said is None)
    assert said is None or said in (check.message or "")
