"""Breaker rules: read, added, changed and deleted, live on every worker within seconds."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Path, Response

from api.asking import AskActor, AskDesk
from api.openapi import problems
from api.shapes import NewRule, RuleChanged, RuleDeleted
from api.tags import AskVersion, version_tag
from governance import handlers
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


@router.get("/{name:path}", responses=problems("not_found", "unavailable"))
def show_rule(desk: AskDesk, name: RuleName, answer: Response) -> RuleEntry:
    """Show one rule; its `ETag` as `If-Match` makes sure that you change what you saw."""
    entry = handlers.show_rule(desk, name)
    answer.headers["ETag"] = version_tag(entry.version)
    return entry


@router.post("", status_code=201, responses=problems("conflict", "rule_error", "unavailable"))
def add_rule(desk: AskDesk, actor: AskActor, wanted: NewRule, answer: Response) -> RuleChanged:
    """Add a rule; it is in force on every worker from `rule.effectiveFrom`."""
    entry = handlers.add_rule(desk, wanted.rule(), by=actor)
    answer.headers["ETag"] = version_tag(entry.version)
    answer.headers["Location"] = f"{PREFIX}/{quote(entry.name, safe='')}"
    return RuleChanged(name=entry.name, rule=entry)


@router.patch(
    "/{name:path}", responses=problems("not_found", "outdated", "rule_error", "unavailable")
)
def patch_rule(
    desk: AskDesk,
    actor: AskActor,
    name: RuleName,
    patch: RulePatch,
    seen: AskVersion,
    answer: Response,
) -> RuleChanged:
    """Change any fields of a rule but its name.

    What cannot go live is refused with its position, and the last good version stays in force.
    What the windows have counted is kept.
    """
    entry = handlers.patch_rule(desk, name, patch, by=actor, expected_version=seen)
    answer.headers["ETag"] = version_tag(entry.version)
    return RuleChanged(name=entry.name, rule=entry)


@router.delete("/{name:path}", responses=problems("not_found", "outdated", "unavailable"))
def delete_rule(desk: AskDesk, actor: AskActor, name: RuleName, seen: AskVersion) -> RuleDeleted:
    """Delete a rule; its breakers are dropped, its versions and events are kept."""
    gone = handlers.delete_rule(desk, name, by=actor, expected_version=seen)
    return RuleDeleted(name=gone.name, version=gone.version, effective_from=gone.effective_from)
