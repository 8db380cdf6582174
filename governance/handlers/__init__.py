"""Everything that can be asked of the state service: load, decide, save, in one transaction.

HTTP, the consumer and the command line call the same functions. Each takes the `Desk` first.
"""

from governance.handlers.actions import Applied, Position, apply_action, apply_actions
from governance.handlers.approvals import Approved, approve_proposal
from governance.handlers.audit import (
    list_audit,
    publish_audit_head,
    show_audit_head,
    verify_audit,
)
from governance.handlers.autonomy import (
    RollbackPreview,
    count_phase_entries,
    preview_rollback,
    resume_command_type,
    resume_command_types,
    roll_back,
    show_phase_history,
    show_state,
)
from governance.handlers.backups import back_up
from governance.handlers.checklist import attest_item, list_checklist, patch_item, show_item
from governance.handlers.checks import DatabaseCheck, Finding, check_database
from governance.handlers.cycle import list_reports, next_due_week, run_cycle, show_report
from governance.handlers.decisions import decide_adjustment, decide_approval, decide_rollback
from governance.handlers.event_answers import (
    acknowledge_event,
    count_overdue,
    reopen_event,
    show_rule_quality,
)
from governance.handlers.events import (
    count_all_events,
    count_events,
    explain_event,
    list_events,
    list_unresolved_events,
    resolve_event,
)
from governance.handlers.first_boot import create
from governance.handlers.joint_acts import (
    Signed,
    Wish,
    countersign,
    list_joint_acts,
    list_past_joint_acts,
    show_joint_act,
    sign_wish,
    tend_joint_acts,
    withdraw_joint_act,
)
from governance.handlers.kill_switch import Killed, pull_kill_switch
from governance.handlers.metrics import (
    compare_metrics,
    show_metrics_history,
    sum_up_minutes,
)
from governance.handlers.proposals import (
    list_obstacles,
    list_past_proposals,
    list_proposals,
    propose_if_ready,
    reject_proposal,
    show_proposal,
    tend_proposals,
)
from governance.handlers.protection import protect_types
from governance.handlers.readiness import (
    assess,
    follow_readiness,
    last_assessment,
    latest_assessment,
    list_scores,
    show_readiness_diff,
)
from governance.handlers.record_repairs import settle_records
from governance.handlers.replays import begin_request, finish_request
from governance.handlers.restoring import Restored, restore
from governance.handlers.retention import Pruned, preview_prune, prune
from governance.handlers.rules import (
    add_rule,
    delete_rule,
    list_rule_versions,
    list_rules,
    list_unjudged_rules,
    patch_rule,
    show_rule,
)
from governance.handlers.sql_changes import adopt_sql_changes
from governance.handlers.stream import tell_blind, tell_sees, tell_unjudged
from governance.handlers.tokens import (
    create_token,
    find_token,
    list_tokens,
    note_tokens,
    revoke_token,
)
from governance.handlers.trials import (
    conclude_validation,
    judge_validation,
    show_cooldown,
    show_validation,
)

__all__ = [
    "Applied",
    "Approved",
    "DatabaseCheck",
    "Finding",
    "Killed",
    "Position",
    "Pruned",
    "Restored",
    "RollbackPreview",
    "Signed",
    "Wish",
    "acknowledge_event",
    "add_rule",
    "adopt_sql_changes",
    "apply_action",
    "apply_actions",
    "approve_proposal",
    "assess",
    "attest_item",
    "back_up",
    "begin_request",
    "check_database",
    "compare_metrics",
    "conclude_validation",
    "count_all_events",
    "count_events",
    "count_overdue",
    "count_phase_entries",
    "countersign",
    "create",
    "create_token",
    "decide_adjustment",
    "decide_approval",
    "decide_rollback",
    "delete_rule",
    "explain_event",
    "find_token",
    "finish_request",
    "follow_readiness",
    "judge_validation",
    "last_assessment",
    "latest_assessment",
    "list_audit",
    "list_checklist",
    "list_events",
    "list_joint_acts",
    "list_obstacles",
    "list_past_joint_acts",
    "list_past_proposals",
    "list_proposals",
    "list_reports",
    "list_rule_versions",
    "list_rules",
    "list_scores",
    "list_tokens",
    "list_unjudged_rules",
    "list_unresolved_events",
    "next_due_week",
    "note_tokens",
    "patch_item",
    "patch_rule",
    "preview_prune",
    "preview_rollback",
    "propose_if_ready",
    "protect_types",
    "prune",
    "publish_audit_head",
    "pull_kill_switch",
    "reject_proposal",
    "reopen_event",
    "resolve_event",
    "restore",
    "resume_command_type",
    "resume_command_types",
    "revoke_token",
    "roll_back",
    "run_cycle",
    "settle_records",
    "show_audit_head",
    "show_cooldown",
    "show_item",
    "show_joint_act",
    "show_metrics_history",
    "show_phase_history",
    "show_proposal",
    "show_readiness_diff",
    "show_report",
    "show_rule",
    "show_rule_quality",
    "show_state",
    "show_validation",
    "sign_wish",
    "sum_up_minutes",
    "tell_blind",
    "tell_sees",
    "tell_unjudged",
    "tend_joint_acts",
    "tend_proposals",
    "verify_audit",
    "withdraw_joint_act",
]
