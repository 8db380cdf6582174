"""Migrations: run at every start, and packaged so that an installed product has them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, Engine

from governance.store.engine import UNHURRIED, WRITING
from governance.store.revisions import (
    is_current,
    is_unknown,
    newest_revision,
    present_revision,
    refusal,
    write_down,
)
from schemas.errors import BadSetting

SCRIPTS: Final = Path(__file__).parent / "migrations"

log = logging.getLogger(__name__)


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the database up to *revision*, in one transaction.

    One that a newer version brought further is left as it is, where that version wrote down that
    this code may work on it.

    Where nothing is to be done, nothing is waited for: a standby must be able to start while the
    active service hangs with the write lock in its hands.

    Raises:
        BadSetting: it is at a revision that this version does not know and may not work on.
    """

    def step(config: Config, connection: Connection) -> None:
        scripts = ScriptDirectory.from_config(config)
        if is_unknown(connection, scripts):
            _go_on(connection, newest_revision(scripts))
            return
        command.upgrade(config, revision)
        write_down(connection, scripts)

    if revision != "head" or not _is_current(engine):
        _run(engine, step)


def _is_current(engine: Engine) -> bool:
    """Whether the database is at the newest revision, with all that belongs to it."""
    with engine.connect() as connection, connection.begin():
        return is_current(connection, ScriptDirectory(str(SCRIPTS)))


def downgrade(engine: Engine, revision: str = "base") -> None:
    """Take the database down to *revision*; what the newer tables held is lost."""

    def step(config: Config, connection: Connection) -> None:
        command.downgrade(config, revision)
        write_down(connection, ScriptDirectory.from_config(config))

    _run(engine, step)


def _go_on(connection: Connection, code: str) -> None:
    """Leave a newer database as it is.

    Raises:
        BadSetting: *code* may not work on it.
    """
    if (why := refusal(connection, code)) is not None:
        raise BadSetting(_setting(connection), why)
    log.warning(
        "the database is at revision %s of a newer version; this one knows %s and goes on",
        present_revision(connection),
        code,
    )


def _run(engine: Engine, step: Callable[[Config, Connection], None]) -> None:
    """Run *step* on one connection, as the one writer."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    with engine.connect() as plain:
        connection = plain.execution_options(**{WRITING: True, UNHURRIED: True})
        with connection.begin():
            config.attributes["connection"] = connection
            try:
                step(config, connection)
            except CommandError as error:
                raise BadSetting(
                    _setting(connection), f"the database is of another version: {error}"
                ) from error


def _setting(connection: Connection) -> str:
    """Return the setting that names the database."""
    return "GOVERNANCE_DB_PATH" if connection.dialect.name == "sqlite" else "DATABASE_URL"
