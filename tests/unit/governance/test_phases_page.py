"""`docs/phases.md` says what the code does."""

from __future__ import annotations

from pathlib import Path

from governance.ladder import RISES
from governance.measured import LONG_ENOUGH
from schemas.errors import GovernanceError, NoRise, RoleNotHeld, ServiceMayNotApprove
from schemas.settings import Settings

PAGE = (Path(__file__).parents[3] / "docs" / "phases.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("|")
]


def test_the_ladder_is_the_phase_table() -> None:
    """Every row has what is added, for how long it is validated, and who approves."""
    for rise in RISES:
        adds = ", ".join(f"`{name}`" for name in rise.adds)
        days = f"{rise.validation.days} days"
        assert [f"`{rise.target}`", adds, days, ", ".join(rise.roles)] in ROWS


def test_every_refusal_is_listed() -> None:
    """Whatever a rise may lack has a row."""
    kinds: list[type[GovernanceError]] = [
        *NoRise.__subclasses__(),
        RoleNotHeld,
        ServiceMayNotApprove,
    ]
    listed = {row[0] for row in ROWS}

    assert {f"`{kind.code}`" for kind in kinds} <= listed


def test_the_numbers_are_the_defaults() -> None:
    """Settings and periods are the ones in force."""
    fields = Settings.model_fields
    assert f"`GOVERNANCE_PROPOSAL_DAYS` ({fields['proposal_days'].default})" in PAGE
    assert f"`GOVERNANCE_VALIDATION_SAMPLES` ({fields['validation_samples'].default})" in PAGE
    assert f"held for {LONG_ENOUGH.days} days" in PAGE
    assert fields["cooldown_critical_days"].default == 30
    assert fields["cooldown_high_days"].default == 7
