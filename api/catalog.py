"""The catalogue of metrics as the API shows it; rules are judged by the very same one."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic.alias_generators import to_camel

from api.shapes import CatalogEntry
from rules.metrics import METRICS, PREFIX, Metric
from schemas.tallies import Column


def catalog() -> list[CatalogEntry]:
    """Return every metric, in the order in which people read them."""
    return [_entry(metric) for metric in METRICS.values()]


def _entry(metric: Metric) -> CatalogEntry:
    """Return one metric in words."""
    below = metric.denominator
    return CatalogEntry(
        name=metric.name,
        unit=metric.unit.value,
        numerator=_names(metric.numerator),
        denominator=None if below is None else _names(below),
        description=metric.description,
        scopes=[metric.name, f"{PREFIX}{metric.name}"],
    )


def _names(columns: Sequence[Column]) -> list[str]:
    """Return what is counted, as JSON writes names."""
    return [to_camel(column.name.lower()) for column in columns]
