"""The lease row: one, with a number that only grows."""

from __future__ import annotations

from pydantic import ValidationError
from sqlalchemy import Connection, inspect, select, update

from governance.leadership.lease import Holder, Lease
from governance.store.tables import service_lease
from governance.store.upsert import upsert


class LeaseShelf:
    """Reads and moves the lease; only whoever has the write lock moves it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def read(self) -> Lease:
        """Return the lease as it stands; a free one where nobody ever held it."""
        columns = (service_lease.c.fencing, service_lease.c.beat, service_lease.c.holder)
        row = self._connection.execute(select(*columns).where(service_lease.c.id == 1)).first()
        if row is None:
            return Lease()
        return Lease(row.fencing, row.beat, _holder(row.holder))

    def find(self) -> Lease | None:
        """Return the lease, or None in a database from before there were any."""
        is_there = inspect(self._connection).has_table(service_lease.name)
        return self.read() if is_there else None

    def take(self, holder: Holder, *, above: int = 0) -> Lease:
        """Give the lease to *holder*, under the next number; it is beyond *above*, too."""
        taken = Lease(max(self.read().fencing, above) + 1, 0, holder)
        self._save(taken)
        return taken

    def renew(self) -> None:
        """Move the row, as a sign that its holder lives."""
        beat = service_lease.c.beat
        self._connection.execute(
            update(service_lease).where(service_lease.c.id == 1).values(beat=beat + 1)
        )

    def release(self, *, above: int = 0) -> None:
        """Leave the lease to whoever comes next, under a number beyond *above*."""
        self._save(Lease(max(self.read().fencing, above)))

    def _save(self, lease: Lease) -> None:
        """Write *lease*."""
        holder = lease.holder.model_dump_json(by_alias=True) if lease.holder else ""
        row = {"id": 1, "fencing": lease.fencing, "beat": lease.beat, "holder": holder}
        upsert(self._connection, service_lease, [row])


def _holder(text: str) -> Holder | None:
    """Return the holder that is written down; what somebody made unreadable holds nothing."""
    try:
        return Holder.model_validate_json(text) if text else None
    except ValidationError:
        return None
