"""Reports of governance cycles, kept as they were answered; the ISO week is there once."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, func, insert, select

from governance.report_wire import Report
from governance.store.ladder_tables import governance_reports as reports
from schemas.errors import NotFound
from schemas.wire import iso

LATEST: Final = "latest"
"""Stands for the id of the newest report."""


class ReportShelf:
    """Adds reports and reads them; nothing here changes one."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, report: Report) -> None:
        """Insert a report; the table refuses a second scheduled one of its ISO week."""
        row = {
            "id": report.id,
            "iso_week": report.iso_week,
            "week_start": iso(report.week_start),
            "week_end": iso(report.week_end),
            "generated_at": iso(report.generated_at),
            "report": report.model_dump_json(by_alias=True),
        }
        self._connection.execute(insert(reports).values(row))

    def newest(self, limit: int) -> list[str]:
        """Return the newest *limit* reports as JSON, as they were written, newest first."""
        wanted = select(reports.c.report).order_by(reports.c.seq.desc()).limit(limit)
        return list(self._connection.execute(wanted).scalars())

    def require(self, report_id: str) -> str:
        """Return one report as JSON, as it was written; ``latest`` is the newest.

        Raises:
            NotFound: there is none; carries near matches among the newest.
        """
        wanted = select(reports.c.report)
        if report_id == LATEST:
            wanted = wanted.order_by(reports.c.seq.desc()).limit(1)
        else:
            wanted = wanted.where(reports.c.id == report_id)
        found = self._connection.execute(wanted).scalar()
        if found is None:
            newest = select(reports.c.id).order_by(reports.c.seq.desc()).limit(100)
            raise NotFound("report", report_id, list(self._connection.execute(newest).scalars()))
        return str(found)

    def of_week(self, iso_week: str) -> Report | None:
        """Return the scheduled report of *iso_week*, or None while there is none."""
        wanted = select(reports.c.report).where(reports.c.iso_week == iso_week)
        found = self._connection.execute(wanted).scalar()
        return None if found is None else Report.model_validate_json(found)

    def last_week(self) -> str | None:
        """Return the newest ISO week that has its scheduled report, or None before the first."""
        found: str | None = self._connection.execute(select(func.max(reports.c.iso_week))).scalar()
        return found
