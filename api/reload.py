"""SIGHUP: the settings read again, and the old ones kept if the new ones are wrong.

Only the log level can change while everything runs; a setting that cannot is named, so that
nobody takes it for changed.
"""

from __future__ import annotations

import structlog

from api.logs import set_level
from schemas.errors import BadSetting
from schemas.settings import Settings, load_settings, unknown_here, variable_of

log = structlog.get_logger(__name__)


class Reload:
    """Remembers the settings that were read last; calling it reads them again."""

    def __init__(self) -> None:
        """Remember the settings as they are now, which the process was started with."""
        self._known = load_settings()

    def __call__(self) -> None:
        """Read the settings: all of them count from the next start on, the log level at once."""
        try:
            fresh = load_settings().check_safe()
        except (BadSetting, OSError) as error:
            log.error("the settings were not read again: the old ones stay", problem=str(error))
            return
        waiting = _changed(self._known, fresh) - {"log_level"}
        set_level(fresh.log_level)
        warn_of_unknown()
        log.info(
            "the settings were read again",
            log_level=fresh.log_level,
            waits_for_a_restart=sorted(map(variable_of, waiting)),
        )


def warn_of_unknown() -> None:
    """Log the name of each variable that looks like a setting and is none."""
    for variable in unknown_here():
        log.warning("a variable is no setting", problem=str(variable))


def _changed(before: Settings, after: Settings) -> set[str]:
    """Return the names of the fields that differ."""
    return {name for name in Settings.model_fields if getattr(before, name) != getattr(after, name)}
