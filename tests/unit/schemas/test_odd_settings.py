"""Every setting with odd values: taken as it is, or refused with its name and what to write."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

from schemas.errors import BadSetting
from schemas.settings import Settings, load_settings, variable_of

ODD: Final = (
    " ", ".", "..", "/", "~", "-", "-1", "0", "1", "00", "1.5", "1e3", "+7", "0x10", "1_000", "½",
    "٣", "99999", "99999999999999999999", "9" * 5_000, "1e999", "NaN", "inf", "true", "yes",
    "null", "[]", "{}", "{", '{"L3+": 5}', '{"L3+": [""]}', '{"L9": []}', "[" * 100_000, "a b",
    "a\nb", "a\tb", "ü", "焙", "🔥", "\x1b[2J", "x" * 300, "x" * 10_000, "'", '"', "\\", "%", "%00",
    "?", "#", "*", ",", ":", ";", "=", "@", "$HOME", "${HOME}", "/dev/null", "/proc/self/mem",
    "/nonexistent/x", "a/b/../c", "http://", "http://a:99999/", "https://[", "://", "sqlite://",
    "sqlite:///", "sqlite:///:memory:", "sqlite:///%00", "postgresql://h:99999/d",
    "postgresql://h:0/d", "postgresql://h:/d", "mysql://h/d", "::", "::1", "[::1]", "0.0.0.0",
    "127.0.0.1:80", "::ffff:0.0.0.0", "localhost", "256.256.256.256", "UTC", "Europe/Zurich",
    "../UTC", "/etc/passwd", "Mars/Base", "monday", "MONDAY", "open", "OPEN",
    b"\xff".decode("utf-8", "surrogateescape"), b"a/\xe9/b".decode("utf-8", "surrogateescape"),
)  # fmt: skip
"""What people write by mistake, what shells and editors leave, and what somebody tries."""

FIELDS: Final = [name for name in Settings.model_fields if name != "kafka_bootstrap_servers"]

REFUSED: Final = (
    ("GOVERNANCE_DB_PATH", "."),
    ("GOVERNANCE_DB_PATH", ".."),
    ("GOVERNANCE_DB_PATH", "/"),
    ("GOVERNANCE_DB_PATH", ":memory:"),
    ("GOVERNANCE_DB_PATH", "a\udcff"),
    ("GOVERNANCE_LOG_FILE", "."),
    ("GOVERNANCE_LOG_FILE", "logs/.."),
    ("GOVERNANCE_PID_FILE", "/"),
    ("GOVERNANCE_DATA_DIR", "a\udcff"),
    ("DATABASE_URL", "postgresql://h:99999/d"),
    ("DATABASE_URL", "postgresql://h:0/d"),
    ("DATABASE_URL", "postgres://u:p@h:65536/d"),
    ("DATABASE_URL", "sqlite:///"),
    ("DATABASE_URL", "sqlite:///:memory:"),
    ("DATABASE_URL", "sqlite:///?mode=memory"),
    ("DATABASE_URL", "sqlite:///%00"),
    ("DATABASE_URL", "mysql://h/d"),
    ("PORT", "0"),
    ("PORT", "65536"),
    ("PORT", "-1"),
    ("PORT", "http"),
    ("GOVERNANCE_WORKER_METRICS_PORT", "65536"),
    ("HOST", "127.0.0.1:4007"),
    ("HOST", "http://localhost"),
    ("HOST", "0"),
    ("HOST", "*"),
    ("GOVERNANCE_WORKER_HOST", "[::1]:4008"),
    ("GOVERNANCE_OIDC_JWKS_URL", "https://["),
    ("GOVERNANCE_OIDC_JWKS_URL", "login.example.com/keys"),
    ("GOVERNANCE_OIDC_JWKS_URL", "https://a:99999/keys"),
    ("GOVERNANCE_TOKEN", "two\nlines"),
    ("GOVERNANCE_TOKEN", "tökén"),
    ("GOVERNANCE_WORKER_TOKEN", "ü" * 40),
    ("GOVERNANCE_BUSINESS_TIMEZONE", "Mars/Base"),
    ("GOVERNANCE_CYCLE_TIMEZONE", "../../etc/passwd"),
    ("GOVERNANCE_CYCLE_TIMEZONE", "x" * 5_000),
    ("GOVERNANCE_RETENTION_DAYS", "99999999"),
    ("GOVERNANCE_WORKER_SESSION_SECONDS", "1e999"),
    ("GOVERNANCE_FLUSH_MILLISECONDS", "9" * 5_000),
    ("GOVERNANCE_PHASE_WHITELISTS", "[" * 100_000),
    ("GOVERNANCE_PHASE_WHITELISTS", '{"L9": []}'),
    ("GOVERNANCE_TOPIC_PREFIX", "a/b"),
    ("GOVERNANCE_WORKER_ID", "a b"),
    ("LOG_LEVEL", "loud"),
)


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read no other settings than those that a test sets."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("GOVERNANCE_") or name in {"PORT", "HOST", "LOG_LEVEL", "DATABASE_URL"}:
            monkeypatch.delenv(name)


@pytest.mark.parametrize("field", FIELDS)
def test_an_odd_value_is_taken_or_refused_by_name(
    field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No value of any setting ends in anything but a sentence that begins with its variable."""
    variable = variable_of(f"GOVERNANCE_{field.upper()}")
    for odd in ODD:
        monkeypatch.setenv(variable, odd)
        try:
            settings = load_settings()
        except BadSetting as refused:
            assert refused.setting == variable, odd
            assert refused.problem
            continue
        try:
            assert settings.check_safe().sql_url
        except BadSetting as unsafe:
            assert unsafe.setting.isupper(), odd


@pytest.mark.parametrize(("variable", "value"), REFUSED)
def test_a_value_that_cannot_work_is_refused_at_once(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the settings are read, before anything is opened or started."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(BadSetting) as refused:
        load_settings()
    assert refused.value.setting == variable


@pytest.mark.parametrize("value", ["s3cret\nline", "s3crét", "s3 cret"])
def test_a_token_that_no_header_carries_is_not_repeated(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What sends it would say it, where it says that it cannot."""
    monkeypatch.setenv("GOVERNANCE_TOKEN", value)
    with pytest.raises(BadSetting, match="printable ASCII") as refused:
        load_settings()
    assert "s3" not in str(refused.value)


def test_each_kind_of_value_is_in_the_table() -> None:
    """Forty at least, each once."""
    assert len(set(ODD)) == len(ODD) > 40
