"""Why a breaker opened, in enough detail to recompute it by hand from the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rules.live import LiveRule
from rules.windows import RINGS, bounds, ring_of
from schemas.actions import BreakerAction, Evidence, LogRange, Reading
from schemas.tallies import EARLINESS, OVERALL, PANE, SAMPLES, dimension_of, value_of
from schemas.wire import from_ms
from streams.deltas import Kept
from streams.scope import Scope
from streams.trail import Trail


def action_of(
    live: LiveRule,
    scope: Scope,
    *,
    at: int,
    action_id: str,
    trails: Mapping[int, Trail],
    topic: str,
    epoch: int | None,
) -> BreakerAction:
    """Return the action of the breaker of *live* on *scope*, which opened at *at*.

    *topic* is the full name of the topic that *trails* index.
    """
    evidence = evidence_of(live, scope, at=at, trails=trails, topic=topic)
    return BreakerAction(
        id=action_id,
        rule=live.rule.summary(),
        rule_version=live.version,
        scope=shown(scope.key),
        scope_key=scope.key,
        command_type=value_of(scope.key) if scope.dimension == "commandType" else None,
        action=live.rule.action,
        severity=live.rule.alert_severity,
        decided_at=from_ms(at),
        metrics={reading.metric: reading.value for reading in evidence.readings},
        evidence=evidence,
        epoch=epoch,
    )


def evidence_of(
    live: LiveRule, scope: Scope, *, at: int, trails: Mapping[int, Trail], topic: str
) -> Evidence:
    """Return what *live* sees of *scope* at *at*, with the events and records behind it."""
    counts = list(scope.counts(live))
    readings = live.condition.readings(counts)
    start, end = bounds(live.window, at)
    baseline = scope.baselines.get(live.name)
    resolved = 0 if baseline is None else baseline.at
    return Evidence(
        rule_version=live.version,
        condition=live.condition.text,
        substituted=live.condition.substituted(counts, window=live.window),
        window_start=from_ms(start),
        window_end=from_ms(end),
        resolved_at=from_ms(resolved) if resolved + EARLINESS > start else None,
        readings=readings,
        samples=_samples(readings),
        command_ids=[kept.id for kept in _bad_events(live, scope, start)],
        log=[
            _range(trail, topic, ring_of(live.window), start) for _, trail in sorted(trails.items())
        ],
    )


def _samples(readings: Sequence[Reading]) -> int:
    """Return how many events the decision stands on: the fewest behind a rate, else counted."""
    rates = [reading.samples for reading in readings if reading.denominator is not None]
    return min(rates or [reading.samples for reading in readings], default=0)


def _bad_events(live: LiveRule, scope: Scope, start: int) -> Sequence[Kept]:
    """Return the newest bad events that count and that the condition looks at."""
    since = 0
    baseline = scope.baseline(live)
    if baseline is not None:
        since = baseline.at
        ring = ring_of(live.window)
        start = max(start, baseline.marks[ring].pane * RINGS[ring].resolution)
    inside = [
        kept
        for kind in live.condition.sample_classes
        for kept in scope.samples.get(kind, ())
        if kept.pane * PANE >= start and kept.step >= since
    ]
    return sorted(inside, key=lambda kept: (kept.step, kept.partition, kept.offset))[-SAMPLES:]


def _range(trail: Trail, topic: str, ring: int, start: int) -> LogRange:
    """Return the offsets between which every record of the window lies."""
    earliest = start - EARLINESS - RINGS[0].resolution
    return LogRange(
        topic=topic,
        partition=trail.partition,
        from_=trail.since(ring, earliest),
        upto=trail.offset,
    )


def shown(scope_key: str) -> str:
    """Return a scope as people read it: ``*``, a command type, or ``label=value``."""
    if scope_key == OVERALL or dimension_of(scope_key) == "commandType":
        return value_of(scope_key)
    return scope_key.removeprefix("labels.")
