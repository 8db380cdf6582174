"""``governance token``: the first token is made where the database is."""

from __future__ import annotations

import json
from pathlib import Path

from embedded.exits import Exit
from tests.unit.cli.test_command_line import run


def test_the_first_token_is_made_listed_and_revoked_here(tmp_path: Path) -> None:
    """It is shown once; the list shows everything but it."""
    made = run(tmp_path, "token", "create", "anna", "--role", "admin", "--json")
    token = json.loads(made.stdout)
    ended = run(tmp_path, "token", "revoke", token["id"])
    listed = run(tmp_path, "token", "list", "--json")

    assert (made.returncode, ended.returncode, listed.returncode) == (0, 0, 0), made.stderr
    assert token["token"].startswith(f"gov_{token['id']}_")
    assert token["token"].rsplit("_", 1)[-1] not in listed.stdout
    assert json.loads(listed.stdout)[0]["revokedAt"] is not None


def test_a_token_that_nobody_would_let_in_is_noticed(tmp_path: Path) -> None:
    """In a folder without an installation nothing is made unasked, and a new database is named."""
    listed = run(tmp_path, "token", "list")
    untouched = list(tmp_path.iterdir())
    first = run(tmp_path, "token", "create", "anna", "--role", "operator")
    second = run(tmp_path, "token", "create", "ben", "--role", "operator")

    assert listed.returncode == Exit.NOT_DONE
    assert "no database" in listed.stderr
    assert not untouched
    assert f"{tmp_path / 'var' / 'governance.db'} is a new database" in first.stderr
    assert "new database" not in second.stderr


def test_roles_that_do_not_go_together_are_one_clear_line(tmp_path: Path) -> None:
    """An unknown role is a wrong command line, and a forbidden pair is refused."""
    unknown = run(tmp_path, "token", "create", "anna", "--role", "wizard")
    both = run(tmp_path, "token", "create", "anna", "--role", "admin", "--role", "tech-lead")

    assert unknown.returncode == Exit.USAGE
    assert both.returncode == Exit.NOT_DONE
    assert both.stderr.count("\n") == 1
