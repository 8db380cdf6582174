"""The matrix: which roles may do which act, and which act each route is.

``matrix.yaml`` is the only place that says so; the layer and the routes ask here.
"""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Any, Final

import yaml
from pydantic import BaseModel, ConfigDict

from governance.callers import Caller, Role, Scope
from schemas.errors import NotPermitted, ServiceMayNotApprove

PUBLIC: Final = "public"
"""The act that needs no identity."""

LOWER: Final = "lower"
"""The act that must always work: its requests go before all others."""

CONVERTED: Final = re.compile(r"\{(\w+):\w+\}")
"""A path's parameter with its converter; the document shows it without."""


class Grant(BaseModel):
    """Who may do one act; a service may with *scope*, or never without one.

    ``asked_by`` may ask for it where it takes two people, and do nothing alone.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    roles: frozenset[Role]
    scope: Scope | None = None
    asked_by: frozenset[Role] = frozenset()

    def includes(self, caller: Caller) -> bool:
        """Whether *caller* may do it."""
        if caller.is_service:
            return self.scope is not None and self.scope in caller.scopes
        return bool(self.roles & caller.roles)

    def lets_ask(self, caller: Caller) -> bool:
        """Whether *caller* may ask for it where it takes two people."""
        return not caller.is_service and bool((self.roles | self.asked_by) & caller.roles)


class Matrix(BaseModel):
    """Every act with its grant, every route with its act."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    acts: dict[str, Grant]
    routes: dict[str, str]

    def act_of(self, method: str, path: str) -> str | None:
        """Return the act of a route by its template, or None for one that has no row."""
        return self.routes.get(f"{method} {shown_path(path)}")

    def lowers(self, method: str, path: str) -> bool:
        """Whether a request lowers autonomy at once, whoever sends it.

        This is the one place that says so: shares, lanes and kept answers ask here.
        """
        return self.act_of(method, path) == LOWER

    def is_public(self, path: str) -> bool:
        """Whether nobody need say who they are to ask for *path*."""
        return self.routes.get(f"GET {path}") == PUBLIC


def shown_path(template: str) -> str:
    """Return a route's path as the document shows it.

    >>> shown_path("/rules/{name:path}")
    '/rules/{name}'
    """
    return CONVERTED.sub(r"{\1}", template)


def read_matrix() -> Matrix:
    """Return the matrix as the file says it.

    Raises:
        ValueError: it names a role, a scope or an act that does not exist.
    """
    read: Any = yaml.safe_load((files("api.auth") / "matrix.yaml").read_text("utf-8"))
    found = Matrix.model_validate(read)
    if unknown := set(found.routes.values()) - {PUBLIC, *found.acts}:
        raise ValueError(f"matrix.yaml names acts that it does not grant: {unknown}")
    return found


MATRIX: Final = read_matrix()
"""Read once: the file is part of the product, not a setting."""


def check_may(caller: Caller, act: str, *, asking: bool = False) -> None:
    """Check that *caller* may do *act*, or ask for it where that is enough.

    Raises:
        ServiceMayNotApprove: a program would decide on a rise.
        NotPermitted: their roles do not include it.
    """
    grant = MATRIX.acts[act]
    if grant.includes(caller) or (asking and grant.lets_ask(caller)):
        return
    if caller.is_service and act in ("approve", "reject"):
        raise ServiceMayNotApprove(f"{caller.principal} is a service, and deciding takes a person")
    held = ", ".join(sorted(caller.scopes if caller.is_service else caller.roles)) or "nothing"
    wanted = ", ".join(sorted(grant.roles))
    raise NotPermitted(
        f"{caller.principal} holds {held}; {act.replace('_', ' ')} takes one of {wanted}"
    )
