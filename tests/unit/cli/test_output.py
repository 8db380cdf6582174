"""Tables on a terminal: nothing that others wrote drives it."""

from __future__ import annotations

import pytest

from cli import autonomy
from cli.client import Client
from cli.output import print_table


@pytest.mark.parametrize("value", ["\x1b[2Jall is well", ["SET_FAN", "\x1b[2Jall is well"]])
def test_what_others_wrote_does_not_drive_a_terminal(
    capsys: pytest.CaptureFixture[str], value: object
) -> None:
    """Neither alone in a cell, nor in a list: command types and names are other people's."""
    print_table([{"what": value}], {"what": "what"})

    assert "\x1b" not in (shown := capsys.readouterr().out)
    assert "�[2Jall is well" in shown


def test_a_paused_type_does_not_drive_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does it begin a line of its own, which would read as one of ours."""
    found = {
        "currentPhase": "L3",
        "daysSincePhaseStart": 2,
        "commandWhitelist": [],
        "pausedCommandTypes": ["\x1b[2Jall is well\nepoch      1"],
        "autonomyEpoch": 7,
    }
    monkeypatch.setattr(Client, "get", lambda *_: found)
    autonomy.state()

    assert capsys.readouterr().out.splitlines() == [
        "phase      L3, for 2 days",
        "whitelist  none",
        "paused     �[2Jall is well�epoch      1",
        "epoch      7",
        "service    not known",
    ]


@pytest.mark.parametrize(
    ("named", "runs", "shown"),
    [
        ([], [], "everything"),
        (["SET_FAN"], [], "everything; by name SET_FAN"),
        (["SET_FAN"], ["ROAST", "X"], "everything but ROAST, X; by name SET_FAN"),
    ],
)
def test_a_pause_of_everything_is_said_first(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    named: list[str],
    runs: list[str],
    shown: str,
) -> None:
    """Who looks at the state sees what runs all the same, and what is paused by name."""
    found = {
        "currentPhase": "L3",
        "daysSincePhaseStart": 2,
        "commandWhitelist": [],
        "pausedCommandTypes": named,
        "allPaused": True,
        "resumedCommandTypes": runs,
        "autonomyEpoch": 7,
    }
    monkeypatch.setattr(Client, "get", lambda *_: found)
    autonomy.state()

    assert f"paused     {shown}" in capsys.readouterr().out.splitlines()
