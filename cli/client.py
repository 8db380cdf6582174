"""The API as commands ask it: a question, its answer, and its errors as errors of ours."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple
from urllib.parse import quote

import typer

from cli.places import api_of
from schemas.errors import GovernanceError
from schemas.settings import load_settings

Url = Annotated[
    str | None, typer.Option(help="The API's address, if it is not the one of this folder.")
]

PATIENCE = 70
"""Seconds that an answer is waited for: a lowering waits for a locked database up to a minute."""


class ApiAnswer(NamedTuple):
    """What the API answered; ``waits`` is whether a second person has still to sign it."""

    body: Any
    waits: bool


class Client:
    """The API that the settings, or ``--url``, name."""

    def __init__(self, url: str | None) -> None:
        """Ask the API at *url*, or the one of this folder."""
        self._settings = load_settings()
        self._elsewhere = url is not None
        self.address = api_of(self._settings, url)

    def get(self, *path: str, **query: object) -> Any:
        """Return the JSON at *path*, whose parts are names as they are.

        Raises:
            Unavailable: the API does not answer, or says that it cannot now.
            Refused: it says no.
        """
        return json.loads(self._ask("GET", path, query=query)[1])

    def text(self, *path: str) -> str:
        """Return the text at *path*; the errors are those of `get`."""
        return self._ask("GET", path)[1].decode("utf-8", "replace")

    def send(self, method: str, *path: str, body: Mapping[str, object] | None = None) -> ApiAnswer:
        """Have the API do something; the errors are those of `get`."""
        status, answer = self._ask(method, path, body=body)
        return ApiAnswer(json.loads(answer), waits=status == 202)

    def _ask(
        self,
        method: str,
        path: tuple[str, ...],
        *,
        query: Mapping[str, object] | None = None,
        body: Mapping[str, object] | None = None,
    ) -> tuple[int, bytes]:
        """Return the status and the bytes of an answer."""
        from urllib.error import HTTPError
        from urllib.parse import urlencode

        from embedded.probe import ask, question
        from schemas.errors import Unavailable

        parts = "/".join(quote(part, safe="") for part in path[1:])
        given = {name: value for name, value in (query or {}).items() if value is not None}
        address = self.address + path[0] + ("/" if parts else "") + parts
        request = question(self._settings, address + (f"?{urlencode(given)}" if given else ""))
        request.method = method
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        try:
            with ask(request, timeout=PATIENCE, elsewhere=self._elsewhere) as answer:
                return answer.status, answer.read()
        except HTTPError as refused:
            raise _problem(refused.code, refused.read()) from None
        except (OSError, ValueError) as problem:
            raise Unavailable(
                "API",
                f"{self.address} does not answer as it should ({_reason(problem)}): start it "
                "with `governance up` or `governance api`, or name it with --url",
            ) from None


def _reason(problem: Exception) -> str:
    """Return why there was no answer, in the system's own words where it has some."""
    from urllib.error import URLError

    cause = problem.reason if isinstance(problem, URLError) else problem
    return (cause.strerror if isinstance(cause, OSError) else None) or str(cause)


def _problem(status: int, body: bytes) -> GovernanceError:
    """Return the error that an answer of *status* stands for."""
    from http import HTTPStatus

    from schemas.errors import Refused, Unavailable

    try:
        detail = str(json.loads(body)["detail"])
    except (ValueError, KeyError, TypeError):
        detail = f"the answer was {status}"
    if status == HTTPStatus.UNAUTHORIZED:
        detail += "; set GOVERNANCE_TOKEN to a token (`governance token create` makes one)"
    return Unavailable("API", detail) if status >= 500 else Refused(detail)
