"""What subscribers of the ``alerts`` topic read: CloudEvents 1.0, JSON format.

``id`` is the deduplication id: an alert is delivered at least once, and repeats carry the same.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final, Literal

from pydantic import ConfigDict

from schemas.events import Severity
from schemas.wire import Moment, Wire

CLOUD_EVENT: Final = "application/cloudevents+json; charset=UTF-8"
"""The ``content-type`` of an alert's record: the structured mode of CloudEvents' Kafka binding."""


class AlertType(StrEnum):
    """What happened; the CloudEvents ``type``, prefixed ``governance.``."""

    BREAKER_TRIPPED = "governance.breaker.tripped"
    BREAKER_ACKNOWLEDGED = "governance.breaker.acknowledged"
    BREAKER_RESOLVED = "governance.breaker.resolved"
    BREAKER_REOPENED = "governance.breaker.reopened"
    PHASE_CHANGED = "governance.phase.changed"
    TYPE_PAUSED = "governance.command_type.paused"
    TYPE_RESUMED = "governance.command_type.resumed"
    RULE_CHANGED = "governance.rule.changed"
    RULE_INVALID = "governance.rule.invalid"
    PROPOSAL_OPENED = "governance.proposal.opened"
    PROPOSAL_CLOSED = "governance.proposal.closed"
    APPROVALS_VOIDED = "governance.proposal.approvals_voided"
    VALIDATION_STARTED = "governance.validation.started"
    VALIDATION_EXTENDED = "governance.validation.extended"
    VALIDATION_UNDECIDED = "governance.validation.undecided"
    VALIDATION_ENDED = "governance.validation.ended"
    ACT_WAITING = "governance.act.waiting"
    ACT_CLOSED = "governance.act.closed"
    STREAM_BLIND = "governance.stream.blind"
    STREAM_SEES = "governance.stream.sees"
    RECORD_RESTORED = "governance.record.restored"
    AUDIT_HEAD = "governance.audit.head"


class AlertData(Wire):
    """What every alert says, whatever its type; ``context`` holds the rest by type."""

    summary: str
    severity: Severity
    scope: str | None = None
    command_type: str | None = None
    event_id: str | None = None
    rule: str | None = None
    autonomy_epoch: int
    context: dict[str, Any] = {}


class Alert(Wire):
    """The envelope: its attribute names are lower case, as CloudEvents demands."""

    model_config = ConfigDict(alias_generator=None)

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str = "/governance"
    type: AlertType
    subject: str | None = None
    time: Moment
    datacontenttype: Literal["application/json"] = "application/json"
    data: AlertData
