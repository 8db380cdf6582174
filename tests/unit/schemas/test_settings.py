"""Settings: which name is read, and what a wrong value is answered with."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import BadSetting
from schemas.settings import Settings, load_settings, unknown_here, unknown_variables, variable_of


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let no setting of this machine reach the test."""
    for name in os.environ:
        if name.startswith("GOVERNANCE_") or name in {"HOST", "PORT", "LOG_LEVEL", "DATABASE_URL"}:
            monkeypatch.delenv(name)
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
    monkeypatch.chdir(tmp_path)


def test_the_defaults_are_safe_to_serve() -> None:
    """Without any setting everything listens on loopback only."""
    settings = load_settings()
    assert settings.check_safe() is settings
    assert (settings.port, settings.topic("rules")) == (4007, "governance.rules")


@pytest.mark.parametrize(
    ("variable", "value", "field", "found"),
    [
        ("GOVERNANCE_PORT", "4010", "port", 4010),
        ("PORT", "4010", "port", 4010),
        ("GOVERNANCE_TOPIC_PREFIX", "mine.", "topic_prefix", "mine."),
        ("KAFKA_BOOTSTRAP_SERVERS", "a:1,b:2", "kafka_bootstrap_servers", "a:1,b:2"),
        ("GOVERNANCE_KAFKA_BOOTSTRAP_SERVERS", "a:1", "kafka_bootstrap_servers", "a:1"),
        ("GOVERNANCE_DB_PATH", "x.db", "db_path", Path("x.db")),
        ("LOG_LEVEL", "debug", "log_level", "debug"),
        ("GOVERNANCE_TICKS", "false", "ticks", False),
    ],
)
def test_a_setting_is_read_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, field: str, found: Any
) -> None:
    """Under its own name, or a plain one that installations use already."""
    monkeypatch.setenv(variable, value)
    assert getattr(load_settings(), field) == found


def test_our_own_name_goes_before_the_plain_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine's PORT may be meant for something else."""
    monkeypatch.setenv("PORT", "1")
    monkeypatch.setenv("GOVERNANCE_PORT", "2")
    assert load_settings().port == 2


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """In an environment file `PORT=` means: as if it were not there."""
    monkeypatch.setenv("PORT", "")
    monkeypatch.setenv("GOVERNANCE_TOPIC_PREFIX", "")
    assert (load_settings().port, load_settings().topic_prefix) == (4007, "governance.")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("GOVERNANCE_PORT", "70000"),
        ("PORT", "http"),
        ("GOVERNANCE_TOPIC_PREFIX", "no blanks"),
        ("GOVERNANCE_BUSINESS_TIMEZONE", "Mars/Olympus"),
        ("GOVERNANCE_WORKER_ID", "a/b"),
        ("GOVERNANCE_FLUSH_MILLISECONDS", "0"),
        ("LOG_LEVEL", "loud"),
        ("GOVERNANCE_PHASE_WHITELISTS", "SET_POWER"),
        ("GOVERNANCE_PHASE_WHITELISTS", '{"L9": []}'),
        ("GOVERNANCE_PHASE_WHITELISTS", '{"L4": ["__other__"]}'),
        ("GOVERNANCE_PHASE_WHITELISTS", json.dumps({"L4": [f"T{n}" for n in range(201)]})),
    ],
)
def test_a_wrong_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """The error names a variable that people can set."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(BadSetting) as refused:
        load_settings()
    assert refused.value.setting == variable


@pytest.mark.parametrize(
    ("variable", "value", "remedy"),
    [
        ("GOVERNANCE_TOPIC_PREFIX", "no blanks", "write 100 or fewer of these: letters"),
        ("GOVERNANCE_WORKER_ID", "a/b", "write 1 to 200 of these: letters"),
        ("GOVERNANCE_BUSINESS_TIMEZONE", "Mars", "'Mars' is not a time zone; write one like"),
        ("GOVERNANCE_WORKER_TOKEN", "short", "write at least 32 characters"),
        ("GOVERNANCE_PHASE_WHITELISTS", "L3", "it is no JSON; write it like {"),
        ("GOVERNANCE_ESCALATE_PAUSED_TYPES", "1", "must be 2 to 1000, or 0, which switches"),
    ],
)
def test_a_wrong_setting_is_told_with_what_to_write(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, remedy: str
) -> None:
    """In words, right after the variable: no pattern, no type of ours."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(BadSetting, match=f"^{variable}: {re.escape(remedy)}"):
        load_settings()


@pytest.mark.parametrize(
    ("written", "place"),
    [
        (b'PORT=4010\nGOVERNANCE_AUTH="token\nLOG_LEVEL=info\n', "line 2"),
        (b"GOVERNANCE_AUTH token\n", "line 1"),
        (b"\xff\xfeP\0", "utf-8"),
    ],
)
def test_an_environment_file_is_read_as_a_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: bytes, place: str
) -> None:
    """A quote that is missing must not leave everybody let in; the line is not repeated."""
    monkeypatch.chdir(tmp_path)
    Path(".env").write_bytes(written)
    with pytest.raises(BadSetting, match=place) as refused:
        load_settings()
    assert refused.value.setting == ".env"
    assert "token" not in str(refused.value)


@pytest.mark.parametrize(
    "written",
    ["", "# PORT\n\nexport PORT=4010\n", "PORT=4010\nGOVERNANCE_OIDC_ISSUER='a\nb'\nPROXY\n"],
)
def test_whatever_an_environment_file_may_hold_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    """Comments, blank lines, `export`, values of several lines, and names without one."""
    monkeypatch.chdir(tmp_path)
    Path(".env").write_text(written)
    assert load_settings().port == (4010 if written else 4007)


def test_an_override_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a command line says is meant for now."""
    monkeypatch.setenv("GOVERNANCE_PORT", "2")
    assert load_settings(port=3).port == 3


@pytest.mark.parametrize(("field", "variable"), [("host", "HOST"), ("worker_host", "WORKER_HOST")])
@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.1", "example.com", "::"])
def test_an_open_port_is_refused(field: str, variable: str, host: str) -> None:
    """Nothing serves beyond loopback while nobody must say who they are."""
    with pytest.raises(BadSetting, match=f"{variable}.*reachable from other machines"):
        load_settings(**{field: host}).check_safe()


@pytest.mark.parametrize("auth", ["open", "token"])
def test_a_worker_beyond_loopback_needs_a_token_of_its_own(auth: Any) -> None:
    """Whoever the API knows, the worker knows nobody: the setting that is missing is named."""
    wide = load_settings(auth=auth, worker_host="0.0.0.0")
    with pytest.raises(BadSetting, match=r"GOVERNANCE_WORKER_TOKEN: .*GOVERNANCE_WORKER_HOST"):
        wide.check_safe()

    known = load_settings(auth=auth, worker_host="0.0.0.0", worker_token="x" * 32)
    assert known.check_safe() is known


@pytest.mark.parametrize("token", ["x" * 31, "a word " * 5, "ü" * 32])
def test_a_worker_token_is_long_and_fits_a_header(token: str) -> None:
    """A weak one is refused, and not repeated."""
    with pytest.raises(BadSetting, match="GOVERNANCE_WORKER_TOKEN") as refused:
        load_settings(worker_token=token)
    assert token not in str(refused.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_is_safe(host: str) -> None:
    """Every way to write it."""
    settings = load_settings(host=host, worker_host=host)
    assert settings.check_safe() is settings


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_a_database_address_reaches_the_driver_and_nobody_else(scheme: str) -> None:
    """Both common spellings work, and no print shows the password."""
    settings = load_settings(database_url=f"{scheme}://me:secret@db/x")
    assert settings.sql_url == "postgresql+psycopg://me:secret@db/x"
    assert "secret" not in repr(settings)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hidden@word@db/x",
        "postgresql://me:hidden@db:hidden/x",
        "postgresql://me:hidden@[::1/x",
        "mysql://me:hidden@db/x",
        "hidden",
    ],
)
def test_what_is_no_database_address_is_refused_unrepeated(url: str) -> None:
    """A password that holds an ``@`` would be shown in part, as the name of a host."""
    with pytest.raises(BadSetting, match=r"DATABASE_URL: .*%40") as refused:
        load_settings(database_url=url)
    assert "hidden" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://db",
        "postgresql+psycopg://me:p%40ss@db:5432/x",
        "postgresql://me:a/b?c%25d@[::1]:5432/x?sslmode=require",
        "postgresql:///x?host=/run/postgresql",
        "sqlite:////var/lib/governance.db",
    ],
)
def test_every_usual_database_address_is_taken(url: str) -> None:
    """With and without a user, a port, a name and options."""
    assert load_settings(database_url=url).sql_url.endswith(url.partition("://")[2])


def test_without_a_database_address_the_file_is_used() -> None:
    """SQLite needs nothing but a path."""
    assert load_settings(db_path=Path("x/y.db")).sql_url == "sqlite:///x/y.db"


def test_every_setting_has_a_variable() -> None:
    """The name in an error is one that can be set."""
    assert variable_of("worker_id") == "GOVERNANCE_WORKER_ID"
    assert variable_of("HOST") == "HOST"
    assert all(variable_of(name).isupper() for name in Settings.model_fields)


def test_a_mistyped_setting_is_found_with_the_nearest_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the environment and in .env, in any case; nothing of the value is told."""
    monkeypatch.setenv("GOVERNANCE_AUHT", "a secret")
    Path(".env").write_text("governance_worker_tokne='a secret'\nGOVERNANCE_ZZZ=a\nOTHER=b\n")
    assert load_settings().auth == "open"
    assert unknown_here() == [
        ("GOVERNANCE_AUHT", "GOVERNANCE_AUTH"),
        ("governance_worker_tokne", "GOVERNANCE_WORKER_TOKEN"),
        ("GOVERNANCE_ZZZ", None),
    ]
    assert "secret" not in "".join(map(str, unknown_here()))


def test_what_sets_something_or_is_empty_is_not_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every setting's own name, whatever its case; and what is empty is not set."""
    assert unknown_variables(variable_of(name).lower() for name in Settings.model_fields) == []
    monkeypatch.setenv("GOVERNANCE_AUHT", "")
    assert unknown_here() == []


def test_the_name_of_an_unknown_variable_drives_no_terminal() -> None:
    """A name may hold anything but `=`."""
    assert "\x1b" not in str(unknown_variables(["GOVERNANCE_\x1b[2J"])[0])
