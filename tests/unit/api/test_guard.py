"""The guard, alone: who may ask, and which page may act."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from api.guard import Guard, is_cross_site, is_loopback_name

HOME = "http://localhost:4007"


def _done(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("done")


@pytest.fixture
def client() -> TestClient:
    """A client of an application that has one address and the guard."""
    app = Guard(Starlette(routes=[Route("/act", _done, methods=["GET", "POST"])]))
    return TestClient(app, base_url=HOME)


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:4007", "localhost.", "127.0.0.1:80", "127.1.2.3", "[::1]:4007"]
)
def test_a_loopback_name_is_this_machine(host: str) -> None:
    """Every spelling of this machine's own name is answered, at any port."""
    assert is_loopback_name(host)


@pytest.mark.parametrize(
    "host",
    [
        "example.org",
        "localhost.example.org",
        "127.0.0.1.example.org",
        "10.0.0.1",
        "[::2]",
        "user@evil",
        "[",
        "2130706433",
    ],
)
def test_a_foreign_name_is_refused(client: TestClient, host: str) -> None:
    """A page that points its own name at this port learns nothing, not even by GET."""
    answer = client.get("/act", headers={"Host": host})

    assert answer.status_code == 421
    assert answer.json()["code"] == "foreign_host"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": HOME},
        {"Sec-Fetch-Site": "same-origin", "Origin": HOME},
    ],
)
def test_curl_and_our_own_pages_may_act(client: TestClient, headers: dict[str, str]) -> None:
    """A program and a page of this origin may post."""
    assert client.post("/act", headers=headers).text == "done"


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": HOME},
        {"Origin": "https://example.org"},
        {"Origin": "http://localhost:3000"},
        {"Origin": "null"},
    ],
)
def test_a_page_of_another_site_may_not_act(client: TestClient, headers: dict[str, str]) -> None:
    """A page elsewhere, even on another port of localhost, cannot post through a browser."""
    answer = client.post("/act", headers=headers)

    assert answer.status_code == 403
    assert answer.json()["code"] == "cross_site"


def test_a_link_from_another_site_may_be_followed(client: TestClient) -> None:
    """Reading is left to the browser, which shows a foreign page nothing of the answer."""
    assert client.get("/act", headers={"Sec-Fetch-Site": "cross-site"}).text == "done"


@pytest.mark.parametrize(
    ("mode", "part"),
    [("no-cors", "image"), ("cors", "empty"), ("navigate", "iframe"), ("websocket", "websocket")],
)
def test_a_page_of_another_site_embeds_nothing(client: TestClient, mode: str, part: str) -> None:
    """It could not read the answer, but a scrape would be noted and a stream be held."""
    headers = {"Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": part}
    foreign = client.get("/act", headers={**headers, "Sec-Fetch-Site": "cross-site"})
    own = client.get("/act", headers={**headers, "Sec-Fetch-Site": "same-origin"})

    assert (foreign.status_code, own.status_code) == (403, 200)


def test_a_link_with_all_that_browsers_say_may_be_followed(client: TestClient) -> None:
    """As a person does who clicks on it."""
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}

    assert client.get("/act", headers={**headers, "Sec-Fetch-Dest": "document"}).text == "done"


def test_one_good_name_does_not_excuse_another(client: TestClient) -> None:
    """Whoever stands in front may have looked at the other header."""
    both = [("Host", "localhost"), ("Host", "evil.example")]

    assert {client.get("/act", headers=order).status_code for order in (both, both[::-1])} == {421}


def test_what_a_browser_says_of_the_site_outweighs_the_origin() -> None:
    """``Sec-Fetch-Site`` cannot be set by a page, so it decides where it is present."""
    assert not is_cross_site(Headers({"sec-fetch-site": "none", "origin": "null", "host": "x"}))
