"""Every number that a command takes has bounds, and what is beyond them is a usage error."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from cli.main import app
from embedded.exits import Exit

ODD = ("-1", "1e3", "½", "9223372036854775808", "9" * 5_000, "", "nan", "0x10", "7 x")


def numbers(command: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield each option of *command* and of those below it that is a number, with the words."""
    for name, inner in getattr(command, "commands", {}).items():
        yield from numbers(inner, *path, name)
    for option in command.params:
        if getattr(option.type_descriptor, "annotation", None) in (int, float):
            yield path, option


FOUND = [
    pytest.param(path, option, id=" ".join((*path, option.name)))
    for path, option in numbers(typer.main.get_command(app))
]


def test_there_are_such_options() -> None:
    """The walk over the commands finds the ones that we know of."""
    assert {"up port", "token create days", "dlq replay limit", "demo seed"} <= {
        found.id for found in FOUND
    }


@pytest.mark.parametrize(("path", "option"), FOUND)
def test_a_number_has_two_bounds(path: tuple[str, ...], option: Any) -> None:
    """Nothing that no calendar, database or client holds gets as far as one."""
    assert option.min is not None, path
    assert option.max <= 2**63 - 1


@pytest.mark.parametrize(("path", "option"), FOUND)
@pytest.mark.parametrize("odd", ODD)
def test_an_odd_number_is_a_usage_error(path: tuple[str, ...], option: Any, odd: str) -> None:
    """The option is named, with its range or what it should be; there is no traceback."""
    ended = CliRunner().invoke(app, [*path, option.opts[0], odd])
    assert ended.exit_code == Exit.USAGE, ended.output
    assert option.opts[0] in ended.stderr
