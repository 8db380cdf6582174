"""API tokens: made, listed, revoked and recognised."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from governance.audit import Act
from governance.callers import Role, Scope, check_roles, is_reserved
from governance.desk import Desk
from governance.handlers.closing import take_back, take_back_approvals
from governance.handlers.lowering import SYSTEM
from governance.handlers.records import ledger_of
from governance.people import check_name, is_same_person
from governance.provenance.tokens import believed, proof_of
from governance.store import Unit
from governance.token_hashes import hash_of, new_id, new_secret
from governance.tokens import ApiToken, KeptToken, spell
from schemas.errors import BadRequest, NotFound


def create_token(
    desk: Desk,
    principal: str,
    roles: Sequence[Role],
    *,
    by: str,
    scopes: Sequence[Scope] = (),
    lifetime: timedelta | None = None,
) -> tuple[ApiToken, str]:
    """Make a token for *principal*; return it and its spelling, which is shown only this once.

    Raises:
        BadRequest: the roles do not go together, or *principal* is no name, or that of
            somebody who is spelt otherwise on another token.
        Unavailable: the database is busy or away.
    """
    check_roles(roles, scopes)
    principal = principal.strip()
    if is_reserved(principal):
        raise BadRequest(f"{principal!r} is no person's name here", field="principal")
    now = desk.clock()
    shown = ApiToken(
        id=new_id(),
        principal=principal,
        roles=sorted(set(roles)),
        scopes=sorted(set(scopes)),
        created_at=now,
        created_by=by,
        expires_at=now + lifetime if lifetime else None,
    )
    secret = new_secret()
    kept = KeptToken(shown, hash_of(secret))
    with desk.store.writing() as unit:
        _check_spelling(shown.principal, unit.tokens.all())
        unit.tokens.add(kept)
        told = {**_facts(shown), "proof": proof_of(kept.hash)}
        unit.audit.append(Act.TOKEN_CREATED, shown.id, actor=by, at=now, before=None, after=told)
    return shown, spell(shown.id, secret)


def list_tokens(desk: Desk) -> list[ApiToken]:
    """Return every token, revoked and expired ones too, the oldest first."""
    with desk.store.reading() as unit:
        return unit.tokens.all()


def find_token(desk: Desk, token_id: str) -> KeptToken | None:
    """Return a token with the hash of its secret, or None if there is none to be believed.

    It has no more rights than the audit log tells, whatever its row says.
    """
    with desk.ledger.turn, desk.store.reading() as unit:
        kept = unit.tokens.find(token_id)
        return kept and believed(kept, ledger_of(desk, unit).tokens.get(token_id))


def note_tokens(desk: Desk) -> int:
    """Write down what names the secret of tokens that an older version made; return how many.

    That version did not tell the audit log, so what is found first counts from then on.

    Raises:
        Unavailable: the database is busy or away; the next start does it.
    """
    with desk.ledger.turn, desk.store.reading() as unit:
        if not _untold(desk, unit):
            return 0
    now = desk.clock()
    with desk.store.writing() as unit:
        found = _untold(desk, unit)
        for kept in found:
            told = {"proof": proof_of(kept.hash)}
            unit.audit.append(Act.TOKEN_NOTED, kept.shown.id, actor=SYSTEM, at=now, after=told)
    return len(found)


def _untold(desk: Desk, unit: Unit) -> list[KeptToken]:
    """Return the tokens of which the audit log tells all but what names their secret."""
    told = [name for name, one in ledger_of(desk, unit).tokens.items() if one.proof is None]
    return [kept for name in told if (kept := unit.tokens.find(name)) is not None]


def revoke_token(desk: Desk, token_id: str, *, by: str) -> ApiToken:
    """End a token: within a second nobody is let in by it. Revoking twice changes nothing.

    What its principal asked for and approved, and what is not done yet, is voided: nobody knows
    any more whether it was they, or whether they still might.

    Raises:
        NotFound: there is none.
        Unavailable: the database is busy or away.
    """
    now = desk.clock()
    with desk.store.writing() as unit:
        kept = unit.tokens.find(token_id)
        if kept is None:
            raise NotFound("token", token_id, [token.id for token in unit.tokens.all()])
        if kept.shown.revoked_at is not None:
            return kept.shown
        unit.tokens.revoke(token_id, now)
        after = kept.shown.model_copy(update={"revoked_at": now})
        unit.audit.append(
            Act.TOKEN_REVOKED,
            token_id,
            actor=by,
            at=now,
            before=_facts(kept.shown),
            after=_facts(after),
        )
        why = f"a token of {after.principal} was revoked"
        take_back(unit, after.principal, now, because=why)
        take_back_approvals(unit, after.principal, now, because=why)
    return after


def _check_spelling(principal: str, others: Sequence[ApiToken]) -> None:
    """Check that nobody becomes two people by another spelling of their name.

    Whoever has a name of before, when any were allowed, keeps it on a new token.

    Raises:
        BadRequest: another token spells it differently, it reads as several names, or it is
            not a name that can be told from others.
    """
    known = {token.principal for token in others}
    if principal in known:
        return
    for other in known:
        if is_same_person(other, principal):
            raise BadRequest(f"the same name is spelt {other!r} on a token", field="principal")
    if problem := check_name(principal):
        raise BadRequest(f"{principal!r} cannot be a name: {problem}", field="principal")
    if ", " in principal:
        raise BadRequest("a comma parts people in the audit log", field="principal")


def _facts(token: ApiToken) -> dict[str, Any]:
    """Return what the audit log keeps of *token*."""
    return token.to_wire()
