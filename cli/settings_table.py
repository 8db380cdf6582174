"""The settings as rows: variable, value, default, where from; secrets are never shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import AliasChoices, SecretStr

from schemas.settings import Settings, variable_of

MASK: Final = "********"


def variables_of(field: str) -> list[str]:
    """Return the environment variables that set *field*, the one that wins first.

    >>> variables_of("port")
    ['GOVERNANCE_PORT', 'PORT']
    >>> variables_of("ticks")
    ['GOVERNANCE_TICKS']
    """
    alias = Settings.model_fields[field].validation_alias
    if isinstance(alias, AliasChoices):
        return list(dict.fromkeys(str(choice) for choice in alias.choices))
    return [variable_of(field)]


def rows(
    settings: Settings, environment: Mapping[str, str], env_file: Mapping[str, str | None]
) -> list[dict[str, Any]]:
    """Return one row for each setting, in the order of `schemas.settings`."""
    return [
        {
            "variable": _name(field),
            "value": _shown(getattr(settings, field)),
            "default": default_of(field),
            "source": _source(field, environment, env_file),
            "description": Settings.model_fields[field].description,
        }
        for field in Settings.model_fields
    ]


def default_of(field: str) -> str | None:
    """Return the default of *field*; one that depends on the machine in words."""
    if field == "worker_id":
        return "host name and -0"
    return _shown(Settings.model_fields[field].get_default(call_default_factory=True))


def _name(field: str) -> str:
    """Return the variable by which people know *field*: the plain name where there is one."""
    return variables_of(field)[-1]


def _source(field: str, environment: Mapping[str, str], env_file: Mapping[str, str | None]) -> str:
    """Return where the value came from; names are not case-sensitive."""
    for place, found in (("environment", environment), (".env", env_file)):
        names = {name.upper() for name in found}
        for variable in variables_of(field):
            if variable in names:
                return f"{place}: {variable}"
    return "default"


def _shown(value: Any) -> str | None:
    """Return a value as text, a secret as stars."""
    if isinstance(value, SecretStr):
        return MASK
    return None if value is None else str(value)
