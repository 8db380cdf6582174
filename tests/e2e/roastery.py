"""A coffee roastery with our product: its people, its days, and its checklist."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from governance import handlers
from governance.callers import Role, Scope
from governance.schedule import Schedule
from schemas.settings import Settings
from tests.e2e.plant import Plant
from tests.e2e.roasters import quiet_day

DAY: Final = timedelta(days=1)
ZURICH: Final = Schedule("Europe/Zurich")
WIKI: Final = "https://wiki.example.org"
CHECKLIST: Final = "/api/readiness/checklist"


def on(year: int, month: int, day: int, hour: int = 10, minute: int = 0) -> datetime:
    """Return a moment (UTC)."""
    return datetime(year, month, day, hour, minute, tzinfo=UTC)


FIRST_DAY: Final = on(2026, 3, 2, 9)


@contextmanager
def roastery(folder: Path, *, database_url: str | None) -> Iterator[Plant]:
    """Open the roastery's installation as it is on its first day, and a token for everybody."""
    settings = Settings(
        _env_file=None,
        kafka_bootstrap_servers="127.0.0.1:1",
        database_url=database_url,
        data_dir=folder,
        db_path=folder / "governance.db",
        log_file=folder / "governance.log",
        pid_file=folder / "governance.pid",
        auth="token",
        cycle_timezone=ZURICH.zone,
    )
    with Plant(settings, FIRST_DAY) as plant:
        plant.invite("anna", Role.TECH_LEAD)
        plant.invite("ben", Role.OPS_LEAD)
        plant.invite("cleo", Role.TECH_LEAD, Role.OPS_LEAD)
        plant.invite("olga", Role.OPERATOR)
        plant.invite("prometheus", Role.SERVICE, scopes=(Scope.READ,))
        plant.invite("pipeline", Role.SERVICE, scopes=tuple(Scope))
        yield plant


def live(plant: Plant, until: datetime) -> None:
    """Let day after day pass up to *until*: some roasting, and the watches' looks."""
    for moment in moments(plant.clock.now, until):
        if moment.hour == 8:
            state = handlers.show_state(plant.service.desk)
            number = (moment - FIRST_DAY).days
            plant.work(quiet_day(moment, number, allowed=state.command_whitelist))
        plant.look(moment + timedelta(minutes=10) if moment.hour == 8 else moment)
    plant.look(until)


def moments(start: datetime, end: datetime) -> Iterator[datetime]:
    """Yield when something happens by itself: at eight each day, and around Friday's cycle."""
    day = start.replace(hour=8, minute=0, second=0, microsecond=0)
    while day < end:
        friday = ZURICH.moment((day - day.weekday() * DAY).date())
        around = [friday - timedelta(minutes=1), friday] if friday.date() == day.date() else []
        yield from (moment for moment in (day, *around) if start < moment < end)
        day += DAY


def attested(plant: Plant) -> list[Any]:
    """Return the items of the checklist that take people's word, as Anna reads them."""
    entries = plant.get("anna", CHECKLIST)
    return [entry for entry in entries if entry["check"] is None]


def missing(assessment: Any) -> list[str]:
    """Return the names of the items that an assessment does not find met."""
    parts = ("technical", "process", "organizational")
    items = [item for part in parts for item in assessment[part]["items"]]
    return [item["name"] for item in items if not item["status"]]


def attest(plant: Plant, who: str, item: str, **said: Any) -> None:
    """Let *who* say that *item* is met, and where that can be seen, or that it is not."""
    evidence = {"evidenceUrl": f"{WIKI}/{item.split()[0].lower()}/{plant.clock.now:%Y-%m-%d}"}
    plant.post(who, f"{CHECKLIST}/{quote(item)}/attest", **(said or evidence))


def renew(plant: Plant) -> None:
    """Let whoever attested what runs out within six weeks look at it again, and say so."""
    for item in attested(plant):
        word, age = item["attestation"], item["maxAgeDays"]
        if word and datetime.fromisoformat(word["attestedAt"]) + age * DAY < (
            plant.clock.now + 45 * DAY
        ):
            attest(plant, word["attestedBy"], item["name"])
