"""The weekly cycle and its reports: as JSON, as Markdown to send on, as a page to print."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from api.asking import AskActor, AskDesk
from api.openapi import problems
from api.report_pages import JsonText, MarkdownText, PrintedPage, printed
from governance import handlers
from governance.report_text import markdown
from governance.report_wire import Report
from schemas.faults import PATH_PART

router = APIRouter(prefix="/api/governance", tags=["Reports"])

ReportId = Annotated[
    str, Path(description="The report's id, or `latest`.", max_length=256, pattern=PATH_PART)
]
Most = Annotated[int, Query(ge=1, le=100, description="How many reports at most.")]


@router.post("/run-cycle", responses=problems("unavailable"))
def run_cycle(desk: AskDesk, actor: AskActor) -> Report:
    """Run the governance cycle of the last seven days: assess, propose if ready, report.

    Each request makes a new report. By itself the service runs the cycle once in each ISO week.
    Whoever asks for a cycle that proposes a rise cannot approve that rise.
    """
    return handlers.run_cycle(desk, by=actor)


@router.get("/reports", response_model=list[Report], responses=problems("unavailable"))
def list_reports(desk: AskDesk, limit: Most = 10) -> Response:
    """List the newest reports, newest first."""
    return JsonText(f"[{','.join(handlers.list_reports(desk, limit=limit))}]")


@router.get(
    "/reports/{report_id}.md",
    response_class=MarkdownText,
    responses=problems("not_found", "unavailable"),
)
def show_report_text(desk: AskDesk, report_id: ReportId) -> MarkdownText:
    """Show a report in Markdown, to keep or to send on."""
    return MarkdownText(markdown(_report(handlers.show_report(desk, report_id))))


@router.get(
    "/reports/{report_id}.html",
    response_class=PrintedPage,
    responses=problems("not_found", "unavailable"),
)
def show_report_page(desk: AskDesk, report_id: ReportId) -> PrintedPage:
    """Show a report as a page that is complete in itself, for a browser, a printer or an e-mail."""
    return printed(_report(handlers.show_report(desk, report_id)))


@router.get(
    "/reports/{report_id}", response_model=Report, responses=problems("not_found", "unavailable")
)
def show_report(desk: AskDesk, report_id: ReportId) -> Response:
    """Show a report as it was written; `latest` is the newest, and 404 before the first."""
    return JsonText(handlers.show_report(desk, report_id))


def _report(text: str) -> Report:
    """Return a report that was kept as JSON."""
    return Report.model_validate_json(text)
