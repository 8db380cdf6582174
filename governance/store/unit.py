"""One transaction, with a shelf for each kind of thing that it reads and writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from governance.store.audit import AuditShelf
from governance.store.autonomy import AutonomyShelf
from governance.store.events import EventShelf
from governance.store.joint_acts import JointActShelf
from governance.store.lease import LeaseShelf
from governance.store.minutes import MinuteShelf
from governance.store.offsets import OffsetShelf
from governance.store.outbox import OutboxShelf
from governance.store.proposals import ProposalShelf
from governance.store.protection import ProtectionShelf
from governance.store.readiness import ReadinessShelf
from governance.store.records import RecordShelf
from governance.store.replays import ReplayShelf
from governance.store.reports import ReportShelf
from governance.store.retention import RetentionShelf
from governance.store.rule_records import RuleRecordShelf
from governance.store.rules import RuleShelf
from governance.store.tokens import TokenShelf
from governance.store.trials import TrialShelf
from governance.store.trip_records import TripRecordShelf
from governance.store.whole import WholeShelf


class Unit:
    """What a handler loads from and saves to; all of it happens or none of it does."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.autonomy = AutonomyShelf(connection)
        self.rules = RuleShelf(connection)
        self.events = EventShelf(connection)
        self.audit = AuditShelf(connection)
        self.outbox = OutboxShelf(connection)
        self.offsets = OffsetShelf(connection)
        self.minutes = MinuteShelf(connection)
        self.readiness = ReadinessShelf(connection)
        self.tokens = TokenShelf(connection)
        self.replays = ReplayShelf(connection)
        self.proposals = ProposalShelf(connection)
        self.protection = ProtectionShelf(connection)
        self.joint_acts = JointActShelf(connection)
        self.trials = TrialShelf(connection)
        self.rule_records = RuleRecordShelf(connection)
        self.reports = ReportShelf(connection)
        self.trip_records = TripRecordShelf(connection)
        self.retention = RetentionShelf(connection)
        self.records = RecordShelf(connection)
        self.whole = WholeShelf(connection)
        self.lease = LeaseShelf(connection)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo only what is done within, if anything is raised there."""
        try:
            with self._connection.begin_nested():
                yield
        except BaseException:
            self.audit.forget()
            raise
