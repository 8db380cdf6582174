"""``governance db`` and ``governance audit`` as people call them, and as documents show them."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from embedded.exits import Exit
from governance import handlers
from tests.desks import desk_at, trip
from tests.unit.cli.test_command_line import run

PAGE = Path(__file__).parents[3] / "docs" / "operations.md"
BIN = Path(sys.executable).parent


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Return an installation's folder, whose database holds a trip; nothing runs."""
    desk = desk_at(f"sqlite:///{tmp_path / 'var' / 'governance.db'}")
    handlers.apply_action(desk, trip())
    desk.store.close()
    yield tmp_path


def documented() -> str:
    """Return every command of the page's part about the database, in its order."""
    part = PAGE.read_text("utf-8").partition("\n## The database\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```bash\n(.*?)^```", part, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 5
    return "".join(blocks)


def test_the_commands_of_the_page_work_as_written(folder: Path) -> None:
    """Who copies them, one after the other, meets no error."""
    done = subprocess.run(
        ["bash", "-euxo", "pipefail", "-c", documented()],
        cwd=folder,
        env={"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "kept       var/governance.db.before-restore-" in done.stdout
    assert "intact: " in done.stdout


def test_a_backup_says_what_it_holds(folder: Path) -> None:
    """JSON names the file, its checksum and its contents, for whoever copies it away."""
    made = json.loads(run(folder, "db", "backup", "--json").stdout)

    assert (folder / made["path"]).is_file()
    assert made["state"]["pausedCommandTypes"] == ["SET_POWER"]
    assert len(made["sha256"]) == 64


def test_tampering_ends_with_one(folder: Path) -> None:
    """The exit code is what a nightly job looks at; the line says where and what."""
    head = run(folder, "audit", "head").stdout.strip()
    assert run(folder, "audit", "verify", "--checkpoint", head).returncode == Exit.DONE
    with closing(sqlite3.connect(folder / "var" / "governance.db")) as direct:
        direct.execute("DROP TRIGGER audit_log_no_delete")
        direct.execute("DELETE FROM audit_log WHERE seq = (SELECT max(seq) FROM audit_log)")
        direct.commit()

    found = run(folder, "audit", "verify", "--checkpoint", head)
    assert (found.returncode, found.stderr) == (Exit.NOT_DONE, "")
    assert found.stdout.startswith("NOT INTACT at row ")
    shown = run(folder, "audit", "verify", "--checkpoint", head, "--json")
    assert json.loads(shown.stdout)["intact"] is False


def test_a_broken_database_ends_the_check_with_one(folder: Path) -> None:
    """Each part has its line; JSON says it for programs."""
    assert run(folder, "db", "check").returncode == Exit.DONE
    with closing(sqlite3.connect(folder / "var" / "governance.db")) as direct:
        direct.execute("DROP TRIGGER audit_log_no_update")
        direct.execute("UPDATE audit_log SET actor = 'mallory' WHERE seq = 2")
        direct.commit()

    ended = run(folder, "db", "check", "--json")
    parts = {part["part"]: part["finding"] for part in json.loads(ended.stdout)["parts"]}
    assert ended.returncode == Exit.NOT_DONE
    assert parts["audit log"] == "broken"
    assert parts["pages and keys"] == "sound"


def test_a_ruin_is_said_in_a_sentence(folder: Path) -> None:
    """No traceback where people look for help; the way out is named."""
    (folder / "var" / "governance.db").write_bytes(b"ruined" * 1_000)
    for command in (("db", "check"), ("db", "backup"), ("audit", "verify")):
        ended = run(folder, *command)
        assert ended.returncode == Exit.NOT_DONE
        assert ended.stderr.startswith("governance: the database cannot be read: ")
        assert ended.stderr.endswith("restore a sound backup of it\n")


@pytest.mark.parametrize(
    "command",
    [
        *(("db", "backup"), ("db", "check"), ("db", "prune"), ("audit", "verify")),
        *(("audit", "head"), ("token", "list"), ("token", "revoke", "x")),
    ],
)
def test_where_there_is_no_database_none_is_made(tmp_path: Path, command: tuple[str, ...]) -> None:
    """Called in the wrong folder, a command says so and leaves nothing behind."""
    ended = run(tmp_path, *command)

    assert ended.returncode == Exit.NOT_DONE
    assert ended.stderr == (
        f"governance: there is no database at {tmp_path / 'var' / 'governance.db'}; run this in "
        "the installation's folder, or set GOVERNANCE_DB_PATH\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_checkpoint_is_a_usage_error(folder: Path) -> None:
    """It says what one looks like."""
    ended = run(folder, "audit", "verify", "--checkpoint", "12")
    assert ended.returncode == Exit.USAGE
    assert "SEQ:HASH" in ended.stderr


def test_a_running_service_is_not_restored_under(folder: Path) -> None:
    """A process that the pid file names is found, even where it does not use the database now."""
    backup = json.loads(run(folder, "db", "backup", "--json").stdout)["path"]
    (folder / "governance.pid").write_text(f"{os.getpid()}\n")
    ended = run(folder, "db", "restore", backup)

    assert ended.returncode == Exit.NOT_DONE
    assert f"process {os.getpid()}" in ended.stderr
    (folder / "governance.pid").write_text("999999999\n")
    assert run(folder, "db", "restore", backup).returncode == Exit.DONE
