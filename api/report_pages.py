"""Reports as answers: the JSON that was written, Markdown, and a page to print.

The page brings its style along and asks for nothing else, so that a saved or forwarded copy
looks the same. Its policy allows exactly that style, and no script.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache

from fastapi.responses import HTMLResponse, Response
from markupsafe import Markup

from api.documents import PAGES
from governance import report_text
from governance.report_wire import Report


class JsonText(Response):
    """JSON that is there already."""

    media_type = "application/json"


class MarkdownText(Response):
    """Markdown."""

    media_type = "text/markdown"


class PrintedPage(HTMLResponse):
    """A page that is complete in itself."""


def printed(report: Report) -> PrintedPage:
    """Return the page of *report*; every text in it that people or producers wrote is escaped."""
    text = PAGES.get_template("report.html").render(
        report=report,
        style=Markup(_style()),  # noqa: S704 - a file of ours
        text=report_text,
    )
    return PrintedPage(text, headers={"Content-Security-Policy": _policy()})


@cache
def _style() -> str:
    """Return the page's style."""
    return PAGES.get_template("report.css").render()


@cache
def _policy() -> str:
    """Return what a browser may do with the page: show it, in our style."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
