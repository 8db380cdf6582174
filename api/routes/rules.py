"""Breaker rules: read, added, changed and deleted, live on every worker within seconds."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Path, Response

from api.asking import AskDesk
from api.openapi import problems
from api.shapes import NewRule, RuleChanged, RuleDeleted
from api.signing import MAY_WAIT, AskSigning, waiting
from api.tags import AskVersion, version_tag
from governance import handlers
from governance.handlers.wishes import AddRule, DeleteRule
from governance.joint_acts import JointAct
from governance.rulebook import RuleEntry
from schemas.rules import RulePatch

PREFIX = "/api/circuit-breaker/rules"
router = APIRouter(prefix=PREFIX, tags=["Breaker rules"])

RuleName = Annotated[str, Path(description="The rule's name, URL-encoded.", max_length=256)]


@router.get("", responses=problems("unavailable"))
def list_rules(desk: AskDesk) -> list[RuleEntry]:
    """List every rule by name; `problem` says what is wrong with one that cannot go live."""
    return handlers.list_rules(desk)


@router.get("/enabled", responses=problems("unavailable"))
def list_enabled_rules(desk: AskDesk) -> list[RuleEntry]:
    """List the rules that are enabled."""
    return handlers.list_rules(desk, enabled_only=True)


@router.get("/{name:name}", responses=problems("not_found", "unavailable"))
def show_rule(desk: AskDesk, name: RuleName, answer: Response) -> RuleEntry:
    """Show one rule; its `ETag` as `If-Match` makes sure that you change what you saw."""
    entry = handlers.show_rule(desk, name)
    answer.headers["ETag"] = version_tag(entry.version)
    return entry


@router.post(
    "",
    status_code=201,
    response_model=RuleChanged,
    responses={**problems("conflict", "too_many_acts", "rule_error", "unavailable"), **MAY_WAIT},
)
def add_rule(signing: AskSigning, wanted: NewRule, answer: Response) -> Any:
    """Add a rule; it is in force on every worker from `rule.effectiveFrom`.

    Where people are known it takes two: the answer is 202 until a second person signs.
    """
    done = signing.do(AddRule(rule=wanted.rule()))
    if isinstance(done, JointAct):
        return waiting(done)
    answer.headers["Location"] = f"{PREFIX}/{quote(done.name, safe='')}"
    return _changed(done, answer)


@router.patch(
    "/{name:name}",
    response_model=RuleChanged,
    responses={
        **problems("not_found", "too_many_acts", "outdated", "rule_error", "unavailable"),
        **MAY_WAIT,
    },
)
def patch_rule(
    signing: AskSigning, name: RuleName, patch: RulePatch, seen: AskVersion, answer: Response
) -> Any:
    """Change any fields of a rule but its name.

    What cannot go live is refused with its position, and the last good version stays in force.
    What the windows have counted is kept, and a stronger action also acts on a breach for which a
    breaker is open already. Where people are known, whoever may lower autonomy may tighten a rule
    at once; what may loosen it takes two: 202 until a second person signs.
    """
    done = signing.patch_rule(name, patch, seen)
    return waiting(done) if isinstance(done, JointAct) else _changed(done, answer)


@router.delete(
    "/{name:name}",
    response_model=RuleDeleted,
    responses={
        **problems("not_found", "too_many_acts", "outdated", "unavailable"),
        **MAY_WAIT,
    },
)
def delete_rule(desk: AskDesk, signing: AskSigning, name: RuleName, seen: AskVersion) -> Any:
    """Delete a rule; its breakers are dropped, its versions and events are kept.

    Where people are known it takes two: the answer is 202 until a second person signs.
    """
    if seen is None and desk.settings.takes_two:
        seen = handlers.show_rule(desk, name).version
    done = signing.do(DeleteRule(name=name, version=seen))
    if isinstance(done, JointAct):
        return waiting(done)
    return RuleDeleted(name=done.name, version=done.version, effective_from=done.effective_from)


def _changed(entry: RuleEntry, answer: Response) -> RuleChanged:
    """Return the answer that shows a changed rule, with its tag."""
    answer.headers["ETag"] = version_tag(entry.version)
    return RuleChanged(name=entry.name, rule=entry)
