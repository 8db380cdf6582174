"""Everything that can be asked of the state service: load, decide, save, in one transaction.

HTTP, the consumer and the command line call the same functions. Each takes the `Desk` first.
"""

from governance.handlers.actions import Applied, Position, apply_action, apply_actions
from governance.handlers.audit import list_audit, show_audit_head, verify_audit
from governance.handlers.autonomy import (
    count_phase_entries,
    resume_command_type,
    roll_back,
    show_phase_history,
    show_state,
)
from governance.handlers.checklist import attest_item, list_checklist, patch_item, show_item
from governance.handlers.events import (
    count_events,
    explain_event,
    list_events,
    list_events_between,
    list_unresolved_events,
    resolve_event,
)
from governance.handlers.first_boot import create
from governance.handlers.metrics import compare_metrics, show_metrics_history, sum_up_minutes
from governance.handlers.readiness import (
    assess,
    follow_readiness,
    last_assessment,
    latest_assessment,
    list_scores,
    show_readiness_diff,
)
from governance.handlers.rules import (
    add_rule,
    delete_rule,
    list_rule_versions,
    list_rules,
    patch_rule,
    show_rule,
)
from governance.handlers.sql_changes import adopt_sql_changes
from governance.handlers.stream import tell_blind, tell_sees

__all__ = [
    "Applied",
    "Position",
    "add_rule",
    "adopt_sql_changes",
    "apply_action",
    "apply_actions",
    "assess",
    "attest_item",
    "compare_metrics",
    "count_events",
    "count_phase_entries",
    "create",
    "delete_rule",
    "explain_event",
    "follow_readiness",
    "last_assessment",
    "latest_assessment",
    "list_audit",
    "list_checklist",
    "list_events",
    "list_events_between",
    "list_rule_versions",
    "list_rules",
    "list_scores",
    "list_unresolved_events",
    "patch_item",
    "patch_rule",
    "resolve_event",
    "resume_command_type",
    "roll_back",
    "show_audit_head",
    "show_item",
    "show_metrics_history",
    "show_phase_history",
    "show_readiness_diff",
    "show_rule",
    "show_state",
    "sum_up_minutes",
    "tell_blind",
    "tell_sees",
    "verify_audit",
]
