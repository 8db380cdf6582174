"""What moved readiness between two assessments: which item, by how many points, when and why."""

from __future__ import annotations

from governance.readiness import Assessment


def has_moved(before: Assessment, after: Assessment) -> bool:
    """Whether anything but the numbers behind the items changed."""
    return _verdicts(before) != _verdicts(after)


def _verdicts(assessment: Assessment) -> tuple[object, ...]:
    """Return what an assessment says, without the numbers behind it."""
    items = [(item.name, item.weight, item.required, item.status) for item in assessment.items]
    return assessment.current_phase, assessment.overall.blockers, items
