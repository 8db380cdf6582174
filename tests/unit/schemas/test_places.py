"""Places that settings name: which errors of the system are a setting's fault."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from schemas.errors import BadSetting
from schemas.places import FAULTS, place_of


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
