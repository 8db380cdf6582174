"""Migrations: run at every start, and packaged so that an installed product has them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Engine

from governance.store.engine import WRITING
from schemas.errors import BadSetting

SCRIPTS: Final = Path(__file__).parent / "migrations"


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the database up to *revision*, in one transaction.

    Raises:
        BadSetting: the database is at a revision that this version does not know.
    """
    _run(engine, lambda config: command.upgrade(config, revision))


def downgrade(engine: Engine, revision: str = "base") -> None:
    """Take the database down to *revision*; what the newer tables held is lost."""
    _run(engine, lambda config: command.downgrade(config, revision))


def _run(engine: Engine, step: Callable[[Config], None]) -> None:
    """Run *step* on one connection, as the one writer."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    with engine.connect() as plain:
        connection = plain.execution_options(**{WRITING: True})
        with connection.begin():
            config.attributes["connection"] = connection
            try:
                step(config)
            except CommandError as error:
                raise BadSetting(
                    "GOVERNANCE_DB_PATH", f"the database is of another version: {error}"
                ) from error
