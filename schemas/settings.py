"""Every setting: its name, its default, and the error that names it when it is wrong.

Read from the environment as ``GOVERNANCE_NAME`` (and from ``.env``); a few plain names that
installations already use are honoured too. A wrong value stops the start, naming the setting; a
name that nobody knows is warned of, since an older version must start beside newer settings.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterable
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple, Self
from zoneinfo import ZoneInfo

from dotenv import dotenv_values
from dotenv.parser import parse_stream
from pydantic import (
    AfterValidator,
    AliasChoices,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from schemas.addresses import (
    database_fault,
    interface,
    is_confidential,
    is_loopback,
    sqlite_url,
    web_fault,
)
from schemas.brokers import brokers_of
from schemas.errors import BadSetting
from schemas.faults import (
    METRICS_PREFIX,
    TOPIC_PREFIX,
    WEB_ADDRESS,
    WORKER_GROUP,
    WORKER_ID,
    fault_of,
)
from schemas.governance import MOST_PAUSED, Phase, fits
from schemas.places import path_fault
from schemas.terminals import printable
from schemas.wire import OVERFLOW

Name = Annotated[str, Field(min_length=1, max_length=256)]
Port = Annotated[int, Field(ge=1, le=65_535)]


def _check_limit(limit: int) -> int:
    """Return *limit* if it counts several, or is 0.

    Raises:
        ValueError: it is 1, by which every single trip would escalate.
    """
    if limit == 1:
        raise ValueError("must be 2 to 1000, or 0, which switches this escalation off")
    return limit


Limit = Annotated[int, Field(ge=0, le=1_000), AfterValidator(_check_limit)]
"""How many together escalate; 0 switches the escalation off."""

PREFIX: Final = "GOVERNANCE_"
"""What every variable of ours begins with; a few have a plain name besides."""


class Weekday(StrEnum):
    """The days of an ISO week, which begins on Monday."""

    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


def _also(name: str, *plain: str) -> AliasChoices:
    """Read ``GOVERNANCE_<NAME>`` first, then the plain names that are in use."""
    return AliasChoices(f"GOVERNANCE_{name}", *plain)


class Settings(BaseSettings):
    """The settings of every process; `load_settings` reads them."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,  # FOO= in an environment file means: not set
        env_file=".env",
        extra="ignore",
        frozen=True,
        populate_by_name=True,
    )

    kafka_bootstrap_servers: str | None = Field(
        default=None,
        validation_alias=_also("KAFKA_BOOTSTRAP_SERVERS", "KAFKA_BOOTSTRAP_SERVERS"),
        description="Brokers as host:port,...; without it the product starts its own Kafka.",
    )
    topic_prefix: Annotated[str, Field(pattern=TOPIC_PREFIX)] = "governance."
    replication_factor: Annotated[int, Field(ge=1, le=7)] = 1
    event_partitions: Annotated[int, Field(ge=1, le=256)] = 8
    tally_partitions: Annotated[int, Field(ge=1, le=64)] = 4

    host: str = Field(default="127.0.0.1", validation_alias=_also("HOST", "HOST"))
    port: Port = Field(default=4007, validation_alias=_also("PORT", "PORT"))
    advertised_url: Annotated[str, Field(pattern=WEB_ADDRESS)] | None = Field(
        default=None, description="Where others reach this API, as a standby tells them."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", validation_alias=_also("LOG_LEVEL", "LOG_LEVEL")
    )
    data_dir: Path = Field(
        default=Path("var"), description="Embedded Kafka, workers, backups, archive."
    )
    log_file: Path = Field(
        default=Path("governance.log"), description="The API's; see `log_link` for where it shows."
    )
    pid_file: Path = Path("governance.pid")
    db_path: Path = Field(
        default=Path("var/governance.db"), validation_alias=_also("DB_PATH", "GOVERNANCE_DB_PATH")
    )
    database_url: SecretStr | None = Field(
        default=None, validation_alias=_also("DATABASE_URL", "DATABASE_URL")
    )

    worker_id: str = Field(
        default_factory=lambda: f"{socket.gethostname()}-0",
        description="Static member id: unique and stable, host name and slot by default.",
        pattern=WORKER_ID,
    )
    worker_group: Annotated[str, Field(pattern=WORKER_GROUP)] = "governance"
    worker_host: str = "127.0.0.1"
    worker_metrics_port: Annotated[int, Field(ge=0, le=65_535)] = Field(
        default=4008, description="Port of the worker's own /metrics and /health; 0 for a free one."
    )
    worker_token: Annotated[SecretStr, Field(min_length=32)] | None = Field(
        default=None,
        description="What the worker's /metrics wants as a bearer token: at least 32 characters; "
        "without it the worker listens on loopback only.",
    )
    worker_session_seconds: Annotated[int, Field(ge=6, le=300)] = 10
    worker_stall_seconds: Annotated[int, Field(ge=5, le=3_600)] = Field(
        default=30, description="Lag without progress for this long ends the worker, to restart."
    )
    flush_milliseconds: Annotated[int, Field(ge=50, le=60_000)] = 1_000
    flush_records: Annotated[int, Field(ge=100, le=1_000_000)] = 20_000
    poll_wait_milliseconds: Annotated[int, Field(ge=0, le=1_000)] = 10
    ticks: bool = Field(
        default=True, description="Off for a replay, which must not lengthen the log."
    )
    scope_limit: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=1_000,
        description="Distinct values of a grouping per source partition; more count as __other__.",
    )
    control_lead_milliseconds: Annotated[int, Field(ge=200, le=60_000)] = Field(
        default=1_500, description="How far ahead a changed rule takes effect on every worker."
    )
    blind_after_seconds: Annotated[int, Field(ge=1, le=3_600)] = Field(
        default=3, description="Frontier age from which the system says that it is blind."
    )

    metrics_prefix: Annotated[str, Field(pattern=METRICS_PREFIX)] = "simcorp_governance_"
    business_timezone: str = "UTC"
    business_end: Annotated[int, Field(ge=1, le=24)] = 17
    cycle_timezone: str = Field(
        default="UTC", description="In which the weekly cycle's hour is meant."
    )
    cycle_weekday: Weekday = Field(
        default=Weekday.FRIDAY, description="The day on which the weekly cycle runs by itself."
    )
    cycle_hour: Annotated[int, Field(ge=0, le=23)] = Field(
        default=16, description="The hour of that day."
    )
    escalate_medium_trips: Limit = Field(
        default=3,
        description="Medium trips of a command type within an hour that pause it; 0: never.",
    )
    escalate_paused_types: Limit = Field(
        default=5, description="Paused command types that revert everything to L3; 0: never."
    )
    escalate_storm_scopes: Limit = Field(
        default=8,
        description="Scopes tripping within five minutes that count as a storm; 0: none is one.",
    )

    phase_whitelists: dict[Phase, tuple[Name, ...]] = Field(
        default_factory=dict,
        description='Command types that a phase adds, as JSON: {"L3+": ["SET_POWER"]}; a phase '
        "that is left out adds those of the phase table.",
    )
    proposal_days: Annotated[int, Field(ge=1, le=365)] = Field(
        default=14, description="Days after which a proposal that nobody decided on expires."
    )
    validation_samples: Annotated[int, Field(ge=1, le=1_000_000_000)] = Field(
        default=200, description="Attempts that a validation must stand on to be decided."
    )
    cooldown_critical_days: Annotated[int, Field(ge=0, le=365)] = Field(
        default=30, description="Days without a proposal after a critical demotion."
    )
    cooldown_high_days: Annotated[int, Field(ge=0, le=365)] = Field(
        default=7, description="Days without a proposal after any other demotion."
    )

    retention_days: Annotated[int, Field(ge=1, le=36_500)] = Field(
        default=90,
        description="Days that minutes of metrics, assessments and resolved events are kept; then "
        "they are archived.",
    )

    auth: Literal["open", "token", "oidc"] = Field(
        default="open",
        description="Who may ask: open (anybody on this machine), token (API tokens) or oidc "
        "(JWTs of your identity provider, and API tokens of services).",
    )
    four_eyes: bool | None = Field(
        default=None,
        description="Whether grave acts take two people: what is loosened, resumed, or resolved "
        "though it was critical or high. By default wherever people are known.",
    )
    oidc_issuer: str | None = Field(default=None, description="The `iss` of every JWT.")
    oidc_audience: str | None = Field(default=None, description="The `aud` of every JWT.")
    oidc_jwks_url: str | None = Field(
        default=None, description="Where the provider publishes its keys: https://..."
    )
    oidc_roles_claim: Annotated[str, Field(min_length=1, max_length=256)] = Field(
        default="roles", description="The claim that lists the roles; dots lead into objects."
    )
    token: SecretStr | None = Field(
        default=None, description="The API token that the command line sends."
    )
    requests_per_minute: Annotated[int, Field(ge=10, le=10_000_000)] = Field(
        default=6_000, description="Requests that one caller is answered; ten times that in open."
    )

    @field_validator("kafka_bootstrap_servers")
    @classmethod
    def _readable_by_every_client(cls, written: str | None) -> str | None:
        """Return the brokers in the form that all clients read, or refuse them."""
        return None if written is None else brokers_of(written)

    @field_validator("business_timezone", "cycle_timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        """Refuse a time zone that this machine does not know."""
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"{name!r} is not a time zone; write one like Europe/Zurich") from None
        return name

    @field_validator("host", "worker_host")
    @classmethod
    def _listenable(cls, host: str) -> str:
        """Return the interface in its usual form, so that it is judged by what it is."""
        return interface(host)

    @field_validator("data_dir", "log_file", "pid_file", "db_path")
    @classmethod
    def _nameable(cls, path: Path) -> Path:
        """Refuse a path that no system takes, or that no log could show."""
        if (fault := path_fault(path)) is not None:
            raise ValueError(fault)
        return path

    @field_validator("log_file", "pid_file", "db_path")
    @classmethod
    def _filed(cls, path: Path) -> Path:
        """Refuse what can only be a folder, and SQLite's name for no file at all."""
        if path.name in ("", "..", ":memory:"):
            raise ValueError(f"{path} is no file; name one, in a folder that is there for it")
        return path

    @field_validator("phase_whitelists")
    @classmethod
    def _bounded(cls, whitelists: dict[Phase, tuple[str, ...]]) -> dict[Phase, tuple[str, ...]]:
        """Refuse a name that stands for others, and more names than a state may hold."""
        names = sorted({name for adds in whitelists.values() for name in adds})
        if OVERFLOW in names:
            raise ValueError(f"{OVERFLOW} is no command type: it stands for all beyond the limit")
        if not fits(names):
            raise ValueError(f"all phases together may name {MOST_PAUSED} command types at most")
        return whitelists

    @field_validator("database_url")
    @classmethod
    def _readable(cls, url: SecretStr | None) -> SecretStr | None:
        """Refuse what is no address of a database; the message repeats nothing of it."""
        fault = None if url is None else database_fault(url.get_secret_value())
        if fault is not None:
            raise ValueError(fault)
        return url

    @field_validator("oidc_jwks_url")
    @classmethod
    def _fetchable(cls, url: str | None) -> str | None:
        """Refuse what is no address of a page."""
        if url is not None and (fault := web_fault(url)) is not None:
            raise ValueError(fault)
        return url

    @field_validator("worker_token", "token")
    @classmethod
    def _sendable(cls, token: SecretStr | None) -> SecretStr | None:
        """Refuse a token that no header can carry; the message does not repeat it."""
        if token is not None and not re.fullmatch(r"[!-~]+", token.get_secret_value()):
            raise ValueError("write it in printable ASCII without spaces")
        return token

    @property
    def sql_url(self) -> str:
        """Return the database address for SQLAlchemy; holds a secret, never log it."""
        if self.database_url is not None:
            url = self.database_url.get_secret_value()
            return url.replace("postgres://", "postgresql://", 1).replace(
                "postgresql://", "postgresql+psycopg://", 1
            )
        return sqlite_url(self.db_path)

    def topic(self, name: str) -> str:
        """Return a topic's full name.

        >>> Settings().topic("rules")
        'governance.rules'
        """
        return self.topic_prefix + name

    @property
    def takes_two(self) -> bool:
        """Return whether grave acts take two people: never where nobody is known."""
        return self.auth != "open" and self.four_eyes is not False

    @property
    def log_folder(self) -> Path:
        """Return where logs are looked for: beside the log file, but ``logs`` if it has no folder.

        >>> str(Settings(log_file="/var/log/governance.log").log_folder)
        '/var/log'
        """
        return Path("logs") if self.log_file.parent == Path() else self.log_file.parent

    @property
    def log_link(self) -> Path:
        """Return the log file's name in `log_folder`; a link to it where that is not its own.

        >>> str(Settings(log_file="governance.log").log_link)
        'logs/governance.log'
        """
        return self.log_folder / self.log_file.name

    def _check_provider(self) -> None:
        """Check that JWTs can be checked.

        Raises:
            BadSetting: the issuer, the audience or the address of the keys is not set, or
                anybody on the way could replace the keys.
        """
        for name in ("oidc_issuer", "oidc_audience", "oidc_jwks_url"):
            if not getattr(self, name):
                raise BadSetting(variable_of(name), "GOVERNANCE_AUTH=oidc needs it")
        if not is_confidential(self.oidc_jwks_url or ""):
            raise BadSetting("GOVERNANCE_OIDC_JWKS_URL", "keys come by https:// only")

    def check_safe(self) -> Self:
        """Return self if it is safe to serve.

        Raises:
            BadSetting: a port would be open beyond loopback although no authentication is set
                for it, what the identity provider needs is not, or two people are asked for
                where nobody is known.
        """
        if self.auth == "oidc":
            self._check_provider()
        if self.auth == "open" and self.four_eyes:
            raise BadSetting(
                "GOVERNANCE_FOUR_EYES",
                "nobody is known while GOVERNANCE_AUTH is open; set that to token or oidc",
            )
        if self.auth == "open" and not is_loopback(self.host):
            raise BadSetting(
                "HOST",
                f"{self.host!r} is reachable from other machines and no authentication is "
                "configured; set it to 127.0.0.1, or GOVERNANCE_AUTH to token or oidc",
            )
        if self.worker_token is None and not is_loopback(self.worker_host):
            raise BadSetting(
                "GOVERNANCE_WORKER_TOKEN",
                f"GOVERNANCE_WORKER_HOST {self.worker_host!r} is reachable from other machines, "
                "and a worker knows no identities but this token: set 32 characters or more",
            )
        return self


def load_settings(**overrides: Any) -> Settings:
    """Return the settings from the environment, with *overrides* by field name on top.

    Raises:
        BadSetting: a value is wrong; names the variable, not the value if it is a secret. So it
            is when a line of ``.env`` cannot be read: what it was to set would be its default.
    """
    _check_readable(Path(".env"))
    try:
        return Settings(**overrides)
    except (SettingsError, RecursionError) as error:  # brackets in brackets, without an end
        named = re.search(r'field "(\w+)"', str(error))
        field = named[1] if named else "phase_whitelists"
        problem = 'it is no JSON; write it like {"L3+": ["SET_POWER"]}'
        raise BadSetting(variable_of(field), problem) from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = str(first["loc"][0]) if first["loc"] else "settings"
        raise BadSetting(variable_of(field), fault_of(first)) from None


def _check_readable(file: Path) -> None:
    """Refuse an environment *file* with a line that says nothing.

    Raises:
        BadSetting: names the first such line, and not what it says: it may be a secret.
    """
    try:
        with file.open(encoding="utf-8") as lines:
            unread = next((one.original for one in parse_stream(lines) if one.error), None)
    except (FileNotFoundError, IsADirectoryError):
        return
    except (OSError, UnicodeDecodeError) as error:
        raise BadSetting(str(file), f"it cannot be read: {error}") from None
    if unread is not None:
        raise BadSetting(
            str(file), f"line {unread.line} cannot be read: write NAME=value, quotes in pairs"
        )


def variable_of(field: str) -> str:
    """Return the environment variable that sets *field* (a field name or an alias).

    Of several names that are read for it, the one that was read.
    """
    for settable in Settings.model_fields.values():
        aliases = settable.validation_alias
        if isinstance(aliases, AliasChoices) and field in aliases.choices:
            names = [str(name) for name in aliases.choices]
            return next((name for name in names if os.environ.get(name)), field)
    return field if field.isupper() else f"GOVERNANCE_{field.upper()}"


class UnknownVariable(NamedTuple):
    """A variable that looks like one of ours, and sets nothing; its value is not looked at."""

    name: str
    nearest: str | None

    def __str__(self) -> str:
        """Return a sentence for people."""
        meant = f"; did you mean {self.nearest}?" if self.nearest else "; remove it"
        return f"{self.name} is no setting of this version and does nothing{meant}"


def unknown_variables(names: Iterable[str]) -> list[UnknownVariable]:
    """Return those of *names* that begin as ours do and set nothing, in order, each once.

    >>> print(*unknown_variables(["GOVERNANCE_AUHT", "governance_auth", "GOVERNANCE_HOST", "AUHT"]))
    GOVERNANCE_AUHT is no setting of this version and does nothing; did you mean GOVERNANCE_AUTH?
    """
    known = {name.removeprefix(PREFIX) for name in _prefixed()}
    ours = {name.upper(): name for name in names if name.upper().startswith(PREFIX)}
    found = []
    for upper, name in sorted(ours.items()):
        bare = upper.removeprefix(PREFIX)
        if bare not in known:
            near = get_close_matches(bare, sorted(known), n=1)
            found.append(UnknownVariable(printable(name), PREFIX + near[0] if near else None))
    return found


def unknown_here() -> list[UnknownVariable]:
    """Return the unknown variables of the environment and of ``.env``, which can be read."""
    written = {**dotenv_values(".env", interpolate=False), **os.environ}
    return unknown_variables(name for name, value in written.items() if value)


def _prefixed() -> set[str]:
    """Return every variable that sets something and begins as ours do."""
    found = set()
    for field, settable in Settings.model_fields.items():
        aliases = settable.validation_alias
        names = aliases.choices if isinstance(aliases, AliasChoices) else [variable_of(field)]
        found |= {str(name) for name in names if str(name).startswith(PREFIX)}
    return found
