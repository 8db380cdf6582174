"""Acts that take more than one person: the document is the truth, the columns are for queries."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, Select, insert, select, update

from governance.joint_acts import JointAct, JointStatus
from governance.store.ladder_tables import joint_acts
from schemas.errors import NotFound


class JointActShelf:
    """Loads and saves them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, act: JointAct) -> None:
        """Insert an act that waits."""
        self._connection.execute(insert(joint_acts).values(_row(act)))

    def save(self, act: JointAct) -> None:
        """Write what became of an act."""
        here = joint_acts.c.id == act.id
        self._connection.execute(update(joint_acts).where(here).values(_row(act)))

    def put_back(self, act: JointAct) -> None:
        """Write an act whatever is there of it, and insert it if nothing is."""
        here = update(joint_acts).where(joint_acts.c.id == act.id).values(_row(act))
        if not self._connection.execute(here).rowcount:
            self.add(act)

    def waiting(self) -> list[JointAct]:
        """Return every act that waits for people, newest first."""
        return self._listed(_newest().where(joint_acts.c.status == JointStatus.WAITING.value))

    def newest(self, limit: int) -> list[JointAct]:
        """Return the newest *limit*, whatever became of them, newest first."""
        return self._listed(_newest().limit(limit))

    def require(self, act_id: str) -> JointAct:
        """Return one act.

        Raises:
            NotFound: there is none; carries near matches.
        """
        found = self._listed(_newest().where(joint_acts.c.id == act_id))
        if not found:
            raise NotFound("joint act", act_id, [act.id for act in self.newest(100)])
        return found[0]

    def _listed(self, wanted: Select[Any]) -> list[JointAct]:
        """Return the acts that a query finds, but those that nobody can read.

        SQL or another version of this product may have left one: it is no act, and must not
        keep people from signing others.
        """
        texts = self._connection.execute(wanted).scalars()
        return [act for text in texts if (act := _read(text)) is not None]


def _read(text: str) -> JointAct | None:
    """Return the act that a document holds, or None if it holds none."""
    with suppress(ValueError):
        act = JointAct.model_validate_json(text)
        return act if act.signatures else None
    return None


def _newest() -> Select[Any]:
    """Return the query for all of them, newest first."""
    return select(joint_acts.c.document).order_by(joint_acts.c.seq.desc())


def _row(act: JointAct) -> dict[str, str]:
    """Return an act as columns."""
    return {
        "id": act.id,
        "status": act.status.value,
        "document": act.model_dump_json(by_alias=True),
    }
