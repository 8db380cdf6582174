"""Reading the snapshots of audit rows, whatever somebody made of them."""

from __future__ import annotations

import json
from typing import Any

from governance.audit import AuditRow


def after_of(row: AuditRow) -> dict[str, Any]:
    """Return what *row* tells of the time after it; nothing where it tells nothing.

    Raises:
        ValueError: the snapshot is no JSON object.
    """
    found = json.loads(row.after) if row.after else {}
    if not isinstance(found, dict):
        raise ValueError(f"row {row.seq} holds no snapshot")
    return found
