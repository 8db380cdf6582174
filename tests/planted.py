"""Revisions of versions to come, planted on top of the newest one for a test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import indent

import pytest

from governance.store import migrate
from governance.store.whole import newest_revision

TODAY = newest_revision()
NEXT, AFTER = (f"{int(TODAY) + ahead:04}" for ahead in (1, 2))
"""What comes next, and what comes after that."""

EXPANDS = """
op.create_table("forecasts", sa.Column("id", sa.Text, primary_key=True))
for table in (
    "governance_state", "circuit_breaker_rules", "circuit_breaker_rule_versions",
    "circuit_breaker_events", "audit_log", "outbox", "phase_history", "joint_acts",
):
    op.add_column(table, sa.Column("remark", sa.Text))
    op.add_column(table, sa.Column("grade", sa.Integer, nullable=False, server_default="7"))
op.create_index("audit_by_actor", "audit_log", ["actor", "seq"])
"""
"""A table, an index, and columns that are null or have a default: older code sees none of it."""

CONTRACTS = """
op.drop_column("circuit_breaker_events", "notes")
"""
"""A column that older code reads and writes."""


@contextmanager
def planted(
    folder: Path, *, expands: str = EXPANDS, contracts: str | None = None
) -> Iterator[None]:
    """Migrate, within the block, as a version does that has one revision more than ours, or two.

    The first, which *expands*, allows all code that today's newest allows. The one that
    *contracts* needs code of the first.
    """
    scripts = folder / "migrations"
    shutil.copytree(migrate.SCRIPTS, scripts, dirs_exist_ok=True)
    _write(scripts, NEXT, after=TODAY, oldest_code="0001", upgrade=expands)
    if contracts is not None:
        _write(scripts, AFTER, after=NEXT, oldest_code=NEXT, upgrade=contracts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(migrate, "SCRIPTS", scripts)
        yield


def _write(scripts: Path, revision: str, *, after: str, oldest_code: str, upgrade: str) -> None:
    """Write a revision into *scripts*."""
    (scripts / "versions" / f"v{revision}_planted.py").write_text(
        "import sqlalchemy as sa\n"
        "from alembic import op\n"
        f"revision, down_revision, oldest_code = {revision!r}, {after!r}, {oldest_code!r}\n"
        f"def upgrade():\n{indent(upgrade.strip(), '    ')}\n"
        "def downgrade():\n    pass\n"
    )
