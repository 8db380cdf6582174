"""Readiness as Prometheus reads it: that of the last assessment, which is a minute old at most."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from governance import handlers
from governance.checklist import Category
from governance.desk import Desk
from governance.readiness import Assessment


def readiness_metrics(desk: Desk, prefix: str) -> Iterator[Metric]:
    """Yield the scores and what blocks; nothing before the first assessment.

    Raises:
        Unavailable: the database does not answer.
    """
    assessment = handlers.last_assessment(desk)
    if assessment is None:
        return
    yield _gauge(f"{prefix}readiness_score", "Share of the points, 0..1.", assessment.overall.score)
    for category, part in assessment.categories.items():
        name = f"{prefix}readiness_{category}"
        yield _gauge(f"{name}_score", f"Points for what is {category}.", part.score)
        yield _gauge(f"{name}_max", f"Points there are for what is {category}.", part.max_score)
    yield _blockers(assessment, prefix)


def _gauge(name: str, says: str, value: float) -> Metric:
    """Return a gauge of one sample."""
    gauge = GaugeMetricFamily(name, says)
    gauge.add_metric([], value)
    return gauge


def _blockers(assessment: Assessment, prefix: str) -> Metric:
    """Return a sample of 1 for each item that is not met; the required ones block."""
    family = GaugeMetricFamily(
        f"{prefix}readiness_blockers_info",
        "1 for an item that is not met.",
        labels=("category", "item_name", "required", "status"),
    )
    for category in Category:
        for item in assessment.categories[category].items:
            if not item.status:
                required = "true" if item.required else "false"
                family.add_metric([category, item.name, required, "false"], 1)
    return family
