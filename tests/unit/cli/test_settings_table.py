"""``governance config show``: every setting, where it came from, and no secret."""

from __future__ import annotations

from typing import Any

from cli.settings_table import MASK, default_of, rows, variables_of
from schemas.settings import Settings


def row(field: str, settings: Settings, *, env: dict[str, str], file: dict[str, str]) -> Any:
    """Return the row of one setting."""
    at = list(Settings.model_fields).index(field)
    return rows(settings, env, dict(file))[at]


def test_every_setting_has_a_row() -> None:
    """Nothing that can be set is left out."""
    assert len(rows(Settings(), {}, {})) == len(Settings.model_fields)


def test_the_source_is_the_variable_that_won() -> None:
    """The environment wins over .env, our own name over the plain one, whatever the case."""
    both = row("port", Settings(), env={"PORT": "1"}, file={"GOVERNANCE_PORT": "2"})
    assert both["source"] == "environment: PORT"
    assert row("port", Settings(), env={}, file={"governance_port": "2"})["source"] == (
        ".env: GOVERNANCE_PORT"
    )
    assert row("port", Settings(), env={}, file={})["source"] == "default"


def test_secrets_are_stars() -> None:
    """A password in DATABASE_URL is on no screen and in no ticket."""
    settings = Settings(database_url="postgresql://me:hunter2@db/x")
    assert row("database_url", settings, env={}, file={})["value"] == MASK
    assert "hunter2" not in str(rows(settings, {}, {}))


def test_plain_names_are_known() -> None:
    """Both names of a setting that installations already use are found."""
    assert variables_of("kafka_bootstrap_servers") == [
        "GOVERNANCE_KAFKA_BOOTSTRAP_SERVERS",
        "KAFKA_BOOTSTRAP_SERVERS",
    ]
    assert variables_of("db_path") == ["GOVERNANCE_DB_PATH"]
    assert default_of("worker_id") == "host name and -0"
