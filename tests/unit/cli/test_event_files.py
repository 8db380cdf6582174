"""What is named as a file of events and is none is told as what it is, in bounded memory."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.event_files import FORMATS, check_format, opened
from cli.lines import LONGEST, Line, check, first_checked, lines_of, values_of
from embedded.exits import Exit
from schemas.errors import NotFound, Refused

COMMAND = Path(sys.executable).with_name("governance")
GOOD = json.dumps(
    {
        "id": "e-1",
        "kind": "command",
        "occurredAt": "2026-11-23T09:14:05Z",
        "commandId": "c",
        "commandType": "T",
        "status": "succeeded",
    }
)


def said(folder: Path, *arguments: str, given: bytes = b"") -> str:
    """Return the one line that `governance produce` says no with."""
    ended = subprocess.run(
        [COMMAND, "produce", *arguments],
        cwd=folder,
        input=given,
        env={"PATH": os.environ["PATH"], "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"},
        capture_output=True,
        timeout=60,
    )
    (line,) = ended.stderr.decode().splitlines()
    assert ended.returncode == Exit.NOT_DONE
    return line


@pytest.mark.parametrize("now", [(), ("--now",), ("--unchecked",)])
def test_a_place_that_is_no_file_is_told_as_what_it_is(
    tmp_path: Path, now: tuple[str, ...]
) -> None:
    """A folder, a pipe, a device and a socket end nothing in a traceback, and block nobody."""
    os.mkfifo(tmp_path / "pipe")
    assert "is a folder; name a file in it" in said(tmp_path, ".", *now)
    assert "is a pipe; give what comes out of it" in said(tmp_path, "pipe", *now)
    assert "is a device" in said(tmp_path, "/dev/zero", *now)
    assert "no readable file" in said(tmp_path, "nothing\n", *now)
    assert "no readable file" in said(tmp_path, "x" * 300, *now)


def test_a_file_that_cannot_be_read_on_says_so(tmp_path: Path) -> None:
    """The memory of a process is a file by its kind, and an error at its first byte."""
    assert "line 1 cannot be read (Input/output error)" in said(tmp_path, "/proc/self/mem")


@pytest.mark.parametrize(("begins", "what", "remedy"), FORMATS)
def test_each_format_is_named_with_the_command_that_unpacks_it(
    begins: bytes, what: str, remedy: str
) -> None:
    """The command reads the file and gives lines to `governance produce -`."""
    with pytest.raises(Refused) as refused:
        check_format(begins + b"...")
    assert what in str(refused.value)
    assert remedy.endswith("| governance produce -")


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (b"\xef\xbb\xbf" + GOOD.encode(), "byte order mark"),
        (GOOD.encode("utf-16"), "UTF-16"),
        (GOOD.encode("utf-16-le"), "UTF-16"),
        (GOOD.encode("utf-16-be"), "UTF-16"),
        (gzip.compress(GOOD.encode()), "gzip"),
    ],
)
def test_an_encoding_is_named_of_files_and_of_standard_input(
    tmp_path: Path, value: bytes, what: str
) -> None:
    """Lines in another encoding are no hundred bad lines, but one thing to do."""
    (tmp_path / "events").write_bytes(value)
    assert what in said(tmp_path, "events")
    assert what in said(tmp_path, "-", "--now", given=value)


def test_lines_of_json_pass_the_look_at_their_beginning() -> None:
    """Whatever a good file begins with, blank lines too, is no other format."""
    raw = io.BytesIO(b"\n " + GOOD.encode() + b"\n")
    assert list(first_checked(lines_of(raw))) == [Line(2, GOOD.encode())]


def test_a_pipe_of_a_shell_is_read(tmp_path: Path) -> None:
    """<(a command) has somebody who writes into it, and an end."""
    reading, writing = os.pipe()
    os.write(writing, b"one\ntwo")
    os.close(writing)
    with opened(f"/dev/fd/{reading}") as raw:
        assert [line.value for line in lines_of(raw)] == [b"one", b"two"]
    os.close(reading)
    with pytest.raises(NotFound), opened(f"/dev/fd/{reading}"):
        pass


@pytest.mark.parametrize("ending", [b"", b"\n", b"\nlast", b"\r\n\n"])
def test_a_line_of_a_gigabyte_is_one_bad_line(ending: bytes) -> None:
    """It is not kept; what follows is read as ever, with its number."""
    size = 3 * LONGEST + 5
    raw = io.BytesIO(b"first\n" + b"x" * size + ending)
    first, long, *more = lines_of(raw)

    assert (first.value, long.number, long.value) == (b"first", 2, b"")
    assert long.size in range(size, size + 3)
    assert [line.number for line in more] == [3] * ending.endswith(b"last")
    assert check([long])[0].problem.startswith("too_large: 3")
    with pytest.raises(Refused, match="line 2 has 3"):
        list(values_of([first, long]))


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_the_longest_line_that_is_read_is_read_whole(more: int) -> None:
    """At the bound itself nothing is lost, whether a line's end follows or not."""
    text = b"x" * (LONGEST + more)
    for value in (text, text + b"\n"):
        found = list(lines_of(io.BytesIO(value + b"next" * value.endswith(b"\n"))))
        assert found[0].number == 1
        assert found[0].size in (0, *range(len(text), len(text) + 2))
        assert found[0].value in (text, b"")
        assert bool(found[0].size) == (not found[0].value)
        assert len(found) == 1 + value.endswith(b"\n")


def test_a_line_of_a_gigabyte_takes_little_memory(tmp_path: Path) -> None:
    """What is held at a time is a line that could be a record, not the file."""
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(1024**3)
    limited = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (2**29, 2**29));"
        "from cli.lines import check, lines_of; "
        "print(check(lines_of(open('huge', 'rb')))[0].problem)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", limited], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert ended.stdout.startswith("too_large: 1073741824 bytes")
