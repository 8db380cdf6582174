"""Callers: who asks, in which roles, and how surely they are who they say. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from governance.people import skeleton
from schemas.errors import BadRequest


class Role(StrEnum):
    """What a person or a program is here for; the matrix says what each may do."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    TECH_LEAD = "tech-lead"
    OPS_LEAD = "ops-lead"
    PRODUCT_LEAD = "product-lead"
    EXEC_SPONSOR = "exec-sponsor"
    ADMIN = "admin"
    SERVICE = "service"


class Scope(StrEnum):
    """What a service may do; a service that has none may do nothing."""

    READ = "read"
    LOWER = "lower"
    CYCLE = "cycle"


class Assurance(StrEnum):
    """How a caller is known."""

    SELF_ASSERTED = "self_asserted"
    TOKEN = "token"  # noqa: S105 - a name, no secret
    OIDC = "oidc"


APPROVERS: Final = frozenset({Role.TECH_LEAD, Role.OPS_LEAD, Role.PRODUCT_LEAD, Role.EXEC_SPONSOR})
"""The roles in which people approve a rise."""

EVERYBODY: Final = frozenset(Role) - {Role.SERVICE}
"""Every role that people hold."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks; ``scopes`` are those of a service and empty for people."""

    principal: str
    roles: frozenset[Role]
    assurance: Assurance
    scopes: frozenset[Scope] = frozenset()

    @property
    def actor(self) -> str:
        """Return the name for the audit log; nobody can take a mere word for a proof."""
        if self.assurance is Assurance.SELF_ASSERTED:
            return f"{self.principal} ({self.assurance})"
        return self.principal

    @property
    def is_service(self) -> bool:
        """Whether this is a program."""
        return Role.SERVICE in self.roles


SOMEBODY_HERE: Final = Caller("operator", EVERYBODY, Assurance.SELF_ASSERTED)
"""Who asks while no authentication is configured: somebody on this machine, on their own word."""


OURS: Final = frozenset(map(skeleton, ("system", "autonomy-governance-agent", "nobody")))
"""Skeletons of names under which the product acts, and which the audit log must not confuse."""

WORD: Final = (skeleton("(self_asserted)"), skeleton("(command line)"))
"""How the audit log marks whoever proved nothing to us, as a skeleton."""


def is_reserved(principal: str) -> bool:
    """Return whether nobody may be called *principal*.

    A person named as the cycle is would have asked for a proposal without having asked, and
    could approve it.

    >>> is_reserved("System "), is_reserved("operator (self_asserted)"), is_reserved("anna")
    (True, True, False)
    """
    name = skeleton(principal)
    return name in OURS or name.endswith(WORD)


def check_roles(roles: Iterable[Role], scopes: Iterable[Scope]) -> None:
    """Check that one principal may hold *roles* and *scopes* together.

    Raises:
        BadRequest: there is no role; who hands out roles would approve too; a program would
            hold a role of people; or people would hold scopes.
    """
    held, scoped = frozenset(roles), frozenset(scopes)
    if not held:
        raise BadRequest("a token needs a role", field="roles")
    if Role.ADMIN in held and held & APPROVERS:
        raise BadRequest(
            "who hands out tokens approves nothing: admin and approving roles are two people's",
            field="roles",
        )
    if Role.SERVICE in held and len(held) > 1:
        raise BadRequest("a service holds no other role", field="roles")
    if (Role.SERVICE in held) != bool(scoped):
        raise BadRequest("a service needs scopes, and only a service has them", field="scopes")


def lawful(roles: frozenset[Role]) -> frozenset[Role]:
    """Return what remains of *roles* that somebody else handed out together.

    A program is nothing but a program, and who hands out roles approves nothing.
    """
    if Role.SERVICE in roles:
        return frozenset({Role.SERVICE})
    return roles - APPROVERS if Role.ADMIN in roles else roles
