"""The service of today on the database of a version to come, as after a downgrade of the program.

The revisions to come are planted; the service is the real one, in a process of its own.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from governance import handlers
from governance.audit import verify_chain
from governance.desk import Desk
from governance.store import Store
from rules.escalation_reference import decide
from schemas.settings import Settings
from tests.desks import alert, desk_at, settings_for, trip
from tests.planted import AFTER, CONTRACTS, NEXT, TODAY, planted
from tests.ports import free_port
from tests.served import served, surroundings

pytestmark = pytest.mark.integration

RULE = "/api/circuit-breaker/rules/High%20Error%20Rate"
DOWN: dict[str, Any] = {"targetPhase": "L3", "reason": "a precaution"}
SETTING = 78
"""The code of a program that would end the same way if it were started again."""


@pytest.fixture(params=["sqlite", "postgresql"])
def named(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Return the setting that names an empty database, of each kind in turn."""
    if request.param == "sqlite":
        yield {"GOVERNANCE_DB_PATH": str(tmp_path / "governance.db")}
    else:
        yield {"DATABASE_URL": request.getfixturevalue("postgres_url")}


@pytest.fixture
def url(named: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the address of that database."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    fields = {name.removeprefix("GOVERNANCE_").lower(): value for name, value in named.items()}
    return Settings(_env_file=None, **fields).sql_url  # type: ignore[arg-type]


def lives(url: str, folder: Path, *, contracts: str | None = None) -> None:
    """Leave two events that wait for people, and then the schema of a version to come."""
    desk = desk_at(url)
    for action in (trip("SET_FAN"), alert("SET_POWER")):
        handlers.apply_action(desk, action)
    with planted(folder / "later", contracts=contracts):
        desk.store.migrate()
    desk.store.close()


def acts(url: str) -> list[str]:
    """Return what the audit log tells, newest first, once its chain was verified."""
    with closing(Store(url)) as store:
        desk = Desk(store, settings_for(), decide)
        with store.reading() as unit:
            assert verify_chain(unit.audit.rows()).intact
        return [row.act for row in handlers.list_audit(desk)]


def test_the_older_program_serves_on_a_schema_that_only_grew(
    url: str, named: dict[str, str], tmp_path: Path
) -> None:
    """Rules change, autonomy is lowered in both ways, events are resolved, and the chain holds."""
    lives(url, tmp_path)
    with served(tmp_path, **named) as api, api.client() as client:
        changed = client.patch(RULE, json={"condition": "errorRate > 0.21"})
        down = client.post("/api/governance/rollback", json=DOWN)
        killed = client.post("/api/kill-switch", json={"reason": "a precaution"})
        waiting = client.get("/api/circuit-breaker/events/unresolved").json()
        resolved = [
            client.post(f"/api/circuit-breaker/events/{event['id']}/resolve") for event in waiting
        ]
        answers = [changed, down, killed, *resolved]
        assert [answer.status_code for answer in answers] == [200] * len(answers)
        assert len(resolved) == 2
        assert client.get("/api/circuit-breaker/events/unresolved").json() == []
        assert client.get(RULE).json()["condition"] == "errorRate > 0.21"
        assert api.stop() == 0

    assert {"rule.changed", "phase.rolled_back", "kill_switch.pulled"} <= {*acts(url)}
    assert f"revision {NEXT} of a newer version; this one knows {TODAY}" in (
        tmp_path / "governance.log"
    ).read_text(encoding="utf-8")


def test_the_older_program_refuses_a_schema_that_lost_what_it_needs(
    url: str, named: dict[str, str], tmp_path: Path
) -> None:
    """It ends at once, with the code that a new start would not mend, and says what to do."""
    lives(url, tmp_path, contracts=CONTRACTS)
    before = acts(url)
    ended = subprocess.run(
        [sys.executable, "-m", "cli", "api", "--assume-topics"],
        cwd=tmp_path,
        env=surroundings(free_port(), **named),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == SETTING
    [setting] = named
    assert (
        f"{setting}: the database is at revision {AFTER} of a newer version, this version knows "
        f"{TODAY}, and revision {AFTER} needs code of {NEXT} or newer; start the newer version, or "
        "restore a backup from before it"
    ) in ended.stderr
    assert acts(url) == before
