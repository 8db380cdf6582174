"""What the audit log tells of an API token, and what a row may claim of it at most. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime

from governance.audit import Act, AuditRow
from governance.provenance.reading import after_of
from governance.tokens import ApiToken, KeptToken
from schemas.wire import iso


@dataclass(frozen=True, slots=True)
class ToldToken:
    """A token as the log tells it; ``proof`` names the hash of its secret, None if untold.

    ``may_be_over`` is of a restore by an older version, which revoked tokens without a row for
    each: then it is revoked if its row says so.
    """

    shown: ApiToken
    proof: str | None
    may_be_over: bool = False


def proof_of(kept: str) -> str:
    """Return what names the hash *kept* in the audit log."""
    return hashlib.sha256(kept.encode("utf-8", "surrogatepass")).hexdigest()


def made(row: AuditRow) -> ToldToken:
    """Return the token that somebody made.

    Raises:
        ValueError: the row does not hold one.
    """
    after = after_of(row)
    return ToldToken(ApiToken.model_validate(after), after.get("proof"))


def moved(told: ToldToken, row: AuditRow) -> ToldToken:
    """Return *told* after it was revoked, put back, or its proof was noted."""
    after = after_of(row)
    if row.act == Act.TOKEN_NOTED:
        return replace(told, proof=after["proof"])
    return ToldToken(ApiToken.model_validate(after), after.get("proof", told.proof))


def restored(told: ToldToken) -> ToldToken:
    """Return *told* after a restore that kept it revoked, if it was."""
    return replace(told, may_be_over=True)


def differing(found: KeptToken, told: ToldToken) -> list[str]:
    """Return the fields in which a stored token is not what is told; empty for none."""
    mine, theirs = told.shown.to_wire(), found.shown.to_wire()
    names = [name for name in mine if _plain(mine[name]) != _plain(theirs[name])]
    if told.may_be_over and told.shown.revoked_at is None and "revokedAt" in names:
        names.remove("revokedAt")
    return names if _is_proven(found, told) else [*names, "hash"]


def believed(found: KeptToken, told: ToldToken | None) -> KeptToken | None:
    """Return the token with the rights that both the row and the log give it, or None.

    None is what no audit row tells, what speaks for somebody else than told, and what another
    secret would prove.
    """
    if told is None or found.shown.principal != told.shown.principal:
        return None
    if not _is_proven(found, told):
        return None
    return KeptToken(least(found.shown, told.shown), found.hash)


def least(found: ApiToken, told: ApiToken) -> ApiToken:
    """Return *told* with no more than *found* gives it too."""
    ends = [end for end in (found.expires_at, told.expires_at) if end is not None]
    return told.model_copy(
        update={
            "roles": [role for role in told.roles if role in found.roles],
            "scopes": [scope for scope in told.scopes if scope in found.scopes],
            "expires_at": min(ends, default=None),
            "revoked_at": told.revoked_at or found.revoked_at,
        }
    )


def revoked(told: ApiToken, now: datetime) -> ApiToken:
    """Return *told* ended at *now*, unless it had ended before."""
    return told.model_copy(update={"revoked_at": told.revoked_at or now})


def _is_proven(found: KeptToken, told: ToldToken) -> bool:
    """Whether the hash is the one that is told; where none is told, any is."""
    return told.proof is None or proof_of(found.hash) == told.proof


def _plain(value: object) -> object:
    """Return *value* for comparing: lists as sets, moments as text."""
    if isinstance(value, list):
        return sorted(map(str, value))
    return iso(value) if isinstance(value, datetime) else value
