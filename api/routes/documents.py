"""The pages under ``/docs``; none of them is part of the API."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.documents import addresses_page, problems_page, style_sheet

router = APIRouter(include_in_schema=False)


@router.get("/")
def go_to_documents() -> RedirectResponse:
    """Send a browser that knows only the port to the documents."""
    return RedirectResponse("/docs")


@router.get("/docs")
def show_addresses(request: Request) -> HTMLResponse:
    """Show every address and what it does."""
    return HTMLResponse(addresses_page(request.app.openapi()))


@router.get("/docs/problems")
def show_problems() -> HTMLResponse:
    """Show every kind of problem and what to do about it."""
    return HTMLResponse(problems_page())


@router.get("/docs/style.css")
def show_style() -> Response:
    """Give the pages their style."""
    return Response(style_sheet(), media_type="text/css")
