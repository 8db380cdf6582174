"""The rules that people see and change, and every version that ever was in force."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.engine import RowMapping

from governance.audit import canonical
from governance.rulebook import RuleEntry
from governance.store.moments import read_moment
from governance.store.tables import circuit_breaker_rule_versions as versions
from governance.store.tables import circuit_breaker_rules as rules
from governance.store.upsert import upsert
from schemas.errors import NotFound
from schemas.rules import Rule, RuleVersion
from schemas.wire import iso

COLUMNS: Final = {
    "name": "name",
    "enabled": "enabled",
    "condition": "condition",
    "window": "window",
    "action": "action",
    "alert_severity": "alert_severity",
    "group_by": "group_by",
    "for_": "for_duration",
    "keep_firing_for": "keep_firing_for",
    "recover_when": "recover_when",
    "min_samples": "min_samples",
}
"""The fields of a rule and the columns that hold them."""


@dataclass(frozen=True, slots=True)
class StoredRule:
    """A rule's row: its fields as found (by the names in `Rule`), and how this service left it."""

    fields: dict[str, Any]
    entry: RuleEntry
    is_ours: bool


class RuleShelf:
    """Loads and saves rules; a version, once written, is never changed."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def stored(self) -> list[StoredRule]:
        """Return every rule's row, by name."""
        wanted = select(rules).order_by(rules.c.name)
        return [_stored(row) for row in self._connection.execute(wanted).mappings()]

    def entries(self) -> list[RuleEntry]:
        """Return every rule, by name."""
        return [row.entry for row in self.stored()]

    def require(self, name: str) -> StoredRule:
        """Return the rule *name*.

        Raises:
            NotFound: there is none; carries near matches.
        """
        found = self._connection.execute(select(rules).where(rules.c.name == name))
        row = found.mappings().first()
        if row is None:
            raise NotFound("rule", name, self.names())
        return _stored(row)

    def names(self) -> list[str]:
        """Return the names of all rules."""
        return list(self._connection.execute(select(rules.c.name)).scalars())

    def newest(self, name: str) -> RuleVersion | None:
        """Return the last version of the rule *name*, a deletion too, or None before any."""
        found = self.versions(name, limit=1)
        return found[0] if found else None

    def newest_of_all(self) -> dict[str, RuleVersion]:
        """Return the last version of every rule that ever was, by name."""
        last = (
            select(versions.c.name, func.max(versions.c.version).label("version"))
            .group_by(versions.c.name)
            .subquery()
        )
        wanted = select(versions).join(
            last, (versions.c.name == last.c.name) & (versions.c.version == last.c.version)
        )
        found = self._connection.execute(wanted).mappings()
        return {row["name"]: _version(row) for row in found}

    def numbers(self) -> dict[str, list[int]]:
        """Return the numbers of all versions of every rule that ever was, by name."""
        found: dict[str, list[int]] = {}
        for name, number in self._connection.execute(select(versions.c.name, versions.c.version)):
            found.setdefault(name, []).append(number)
        return found

    def version(self, name: str, number: int) -> RuleVersion:
        """Return one version that is there."""
        wanted = select(versions).where(versions.c.name == name, versions.c.version == number)
        return _version(self._connection.execute(wanted).mappings().one())

    def versions(self, name: str, *, limit: int = 100) -> list[RuleVersion]:
        """Return the newest *limit* versions of the rule *name*, newest first."""
        wanted = (
            select(versions)
            .where(versions.c.name == name)
            .order_by(versions.c.version.desc())
            .limit(limit)
        )
        return [_version(row) for row in self._connection.execute(wanted).mappings()]

    def save(self, version: RuleVersion) -> None:
        """Add *version* and make the rule's row say the same; a deletion removes the row."""
        self._connection.execute(insert(versions).values(_version_row(version)))
        if version.rule is None:
            self._connection.execute(delete(rules).where(rules.c.name == version.name))
        else:
            upsert(self._connection, rules, [_row(version, version.rule)])

    def put_version_back(self, name: str, told: RuleVersion | None) -> None:
        """Make *told* the last version of the rule *name* again; None for what never was a rule."""
        since = told.version if told else 0
        gone = versions.c.name == name, versions.c.version >= since
        self._connection.execute(delete(versions).where(*gone))
        if told is not None:
            self._connection.execute(insert(versions).values(_version_row(told)))

    def report(self, name: str, problem: str, now: datetime) -> None:
        """Say of the row *name*, as it now is, why it cannot go live."""
        fields = self.require(name).fields
        self._connection.execute(
            update(rules)
            .where(rules.c.name == name)
            .values(problem=problem, sealed=_seal(fields), updated_at=iso(now), updated_by="sql")
        )


def _version_row(version: RuleVersion) -> dict[str, Any]:
    """Return the columns of a version."""
    return {
        "name": version.name,
        "version": version.version,
        "effective_from": version.effective_from,
        "rule": version.rule.model_dump_json(by_alias=True) if version.rule else None,
        "changed_by": version.changed_by,
        "changed_at": iso(version.changed_at),
    }


def _row(version: RuleVersion, rule: Rule) -> dict[str, Any]:
    """Return the columns of the rule that *version* puts in force."""
    fields = {**rule.model_dump(mode="json"), "enabled": int(rule.enabled)}
    return {
        **{column: fields[field] for field, column in COLUMNS.items()},
        "version": version.version,
        "effective_from": version.effective_from,
        "updated_at": iso(version.changed_at),
        "updated_by": version.changed_by,
        "problem": None,
        "sealed": _seal(fields),
    }


def _stored(row: RowMapping) -> StoredRule:
    """Return a row as found."""
    fields = {field: row[column] for field, column in COLUMNS.items()}
    shown = {
        **fields,
        "enabled": fields["enabled"] in (1, "1"),
        "min_samples": fields["min_samples"] if isinstance(fields["min_samples"], int) else 0,
    }
    entry = RuleEntry(
        **shown,
        version=row["version"],
        effective_from=row["effective_from"],
        updated_at=read_moment(row["updated_at"]) if row["updated_at"] else None,
        updated_by=row["updated_by"],
        problem=row["problem"],
    )
    return StoredRule(fields, entry, is_ours=row["sealed"] == _seal(fields))


def _seal(fields: dict[str, Any]) -> str | None:
    """Return the one spelling of a rule's fields."""
    return canonical({field: fields[field] for field in COLUMNS})


def _version(row: RowMapping) -> RuleVersion:
    """Return a stored version."""
    return RuleVersion(
        name=row["name"],
        version=row["version"],
        effective_from=row["effective_from"],
        rule=Rule.model_validate(json.loads(row["rule"])) if row["rule"] else None,
        changed_by=row["changed_by"],
        changed_at=read_moment(row["changed_at"]),
    )
