"""Places that settings name: which errors of the system are a setting's fault."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest

from schemas.errors import BadSetting
from schemas.places import FAULTS, check_folder, is_named_pipe, make_folder, path_fault, place_of


@pytest.mark.parametrize("number", FAULTS)
def test_a_fault_of_the_place_names_the_setting_and_a_way_out(number: int) -> None:
    """The variable, the file, and what to do: never the system's word alone."""
    with (
        pytest.raises(BadSetting, match=r"^GOVERNANCE_X: cannot write here/x: .*name a"),
        place_of("GOVERNANCE_X", Path("here/x")),
    ):
        raise OSError(number, os.strerror(number))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE])
def test_what_may_pass_is_no_fault_of_the_setting(number: int) -> None:
    """A supervisor tries again after these, as it does not after a wrong setting."""
    with pytest.raises(OSError) as failed, place_of("GOVERNANCE_X", Path("x")):
        raise OSError(number, os.strerror(number))
    assert failed.value.errno == number


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("kind", ["folder", "pipe", "socket"])
def test_what_is_no_file_is_told_before_it_is_opened(tmp_path: Path, kind: str, kept: bool) -> None:
    """Opening a pipe would wait for somebody at its other end, for ever."""
    place = tmp_path / kind
    if kind == "folder":
        place.mkdir()
    elif kind == "pipe":
        os.mkfifo(place)
    else:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(place))
    with (
        pytest.raises(BadSetting, match=rf"cannot write .*: it is a {kind}; name a file"),
        place_of("GOVERNANCE_X", place, kept=kept),
    ):
        place.open("ab").close()


def test_a_device_takes_lines_and_keeps_none() -> None:
    """A log may go to /dev/null, a database may not."""
    with place_of("GOVERNANCE_X", Path("/dev/null")):
        pass
    with (
        pytest.raises(BadSetting, match="it is a device, which keeps nothing"),
        place_of("GOVERNANCE_X", Path("/dev/null"), kept=True),
    ):
        pass


def test_a_pipe_without_a_name_has_somebody_behind_it() -> None:
    """/dev/stdout of a process whose output is read is a place for a log, not for a database."""
    reading, writing = os.pipe()
    place = Path(f"/dev/fd/{writing}")
    assert not is_named_pipe(place)
    with place_of("GOVERNANCE_X", place):
        pass
    with (
        pytest.raises(BadSetting, match="it is a pipe"),
        place_of("GOVERNANCE_X", place, kept=True),
    ):
        pass
    os.close(reading)
    os.close(writing)


def test_a_path_that_nobody_can_open_or_show_is_told() -> None:
    """NUL ends a name to the system, and what is no UTF-8 cannot be written into a log."""
    assert path_fault(Path("a/größe, 100%? #1")) is None
    assert path_fault(Path("a\0b")) is not None
    assert path_fault(Path(os.fsdecode(b"\xff"))) is not None


def test_a_folder_that_cannot_be_made_names_the_setting(tmp_path: Path) -> None:
    """One that is there is fine; a file in its place, or on the way to it, is not."""
    check_folder("GOVERNANCE_X", tmp_path / "a" / "b")
    assert not (tmp_path / "a").exists()
    for _ in range(2):
        make_folder("GOVERNANCE_X", tmp_path / "a" / "b")
    check_folder("GOVERNANCE_X", tmp_path / "a" / "b")
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "b", Path("/dev/null/x")):
        with pytest.raises(BadSetting, match=r"GOVERNANCE_X: cannot write .* is a file"):
            make_folder("GOVERNANCE_X", folder)
        with pytest.raises(BadSetting, match=r"GOVERNANCE_X: cannot write .* is a file"):
            check_folder("GOVERNANCE_X", folder)
