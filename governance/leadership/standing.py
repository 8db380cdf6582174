"""What a service says of its own standing: active or standby, and whether anybody is active."""

from __future__ import annotations

from governance.health import Check, Health, Role, Standing
from governance.leadership.election import Election
from governance.leadership.lease import EXPIRY
from governance.store.fence import Fence


def standing_of(fence: Fence, *, is_active: bool) -> Standing:
    """Return which service this is, under which number, and where the active one answers."""
    if is_active:
        own = fence.holder.address
        return Standing(role=Role.ACTIVE, fencing=fence.fencing, active=own)
    active = fence.standby().active
    return Standing(role=Role.STANDBY, fencing=fence.last.fencing, active=active)


def check_lease(fence: Fence, election: Election, *, fault: str | None) -> Check:
    """Say whether somebody is active; *fault* is what stopped the thread that sees to it."""
    if election.is_active:
        late = fence.silence > EXPIRY
        said = f"not renewed for {fence.silence:.0f} s" if late else None
        return Check(status=Health.DEGRADED if late else Health.HEALTHY, message=said)
    why = election.trouble or fault or "in a moment it will"
    if fence.fencing is not None:
        return _nobody(f"it holds the lease and cannot begin: {why}")
    holder, still = fence.last.holder, election.seen.still
    if holder is None:
        return _nobody(f"no service is the active one: {why}")
    if still > EXPIRY:
        return _nobody(f"{holder.name} has been silent for {still:.0f} s and is not replaced yet")
    return Check(status=Health.HEALTHY, message=f"standby: {holder.name} is the active one")


def _nobody(said: str) -> Check:
    """Return that nobody is active."""
    return Check(status=Health.UNHEALTHY, message=said)
