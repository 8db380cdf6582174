"""Addresses of databases, interfaces and pages: what is taken, and how it is shown."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.addresses import in_url, interface, is_loopback, web_fault, within_reach

USUAL = {
    "127.0.0.1": "127.0.0.1",
    " 127.0.0.1 ": "127.0.0.1",
    "::1": "::1",
    "[::1]": "::1",
    "0:0:0:0:0:0:0:1": "::1",
    "::ffff:127.0.0.1": "127.0.0.1",
    "::ffff:0.0.0.0": "0.0.0.0",
    "::ffff:a00:7": "10.0.0.7",
    "::": "::",
    "0000::": "::",
    "2001:DB8::7": "2001:db8::7",
    "fe80::1%eth0": "fe80::1%eth0",
    "localhost": "localhost",
    "LocalHost": "localhost",
    "api.example.com": "api.example.com",
    "my_host-1": "my_host-1",
}
NONE_AT_ALL = (
    "127.0.0.1:4007", "[::1]:4007", "http://localhost", "localhost/", "*", "0", "127.1", "0x7f.1",
    "2130706433", "256.0.0.1", "1.2.3.4.5", "::1::", ":::", "a b", "-a", "a..b", ".", "ü", "[",
    "[]", "a\nb", "127.0.0.1\0", "x" * 64, "a." * 200, "user@host", "0.0.0.0/0", "::/0",
    "127.0.0.1,::1",
)  # fmt: skip


@pytest.mark.parametrize(("written", "meant"), USUAL.items())
def test_an_interface_has_one_form(written: str, meant: str) -> None:
    """However it is written, it is judged and shown by what it is."""
    assert interface(written) == meant
    assert interface(meant) == meant


@pytest.mark.parametrize("written", NONE_AT_ALL)
def test_what_is_no_interface_is_refused(written: str) -> None:
    """The message says what to write; what systems read in different ways is refused too."""
    with pytest.raises(ValueError, match=r"such as 127\.0\.0\.1 or ::1, without a port"):
        interface(written)


@given(host=st.ip_addresses())
def test_every_address_is_taken_and_loopback_stays_loopback(host: Any) -> None:
    """Writing it in its usual form neither opens a port to others nor closes it to us."""
    form = interface(str(host))
    mapped = getattr(host, "ipv4_mapped", None) or host
    assert is_loopback(form) == mapped.is_loopback
    assert in_url(within_reach(form)).startswith("[") == (":" in form)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "::ffff:0.0.0.0", "10.0.0.1", "::ffff:a00:7"])
def test_only_loopback_is_loopback(host: str) -> None:
    """Every interface, in every way to write it, is open to others."""
    assert not is_loopback(interface(host))


@pytest.mark.parametrize(
    "url",
    [
        "", "x", "ftp://a/b", "https://", "https://[::1", "https://a:99999/", "https://a:0/",
        "https://a:b/", "https:// a/", "https://a/ü", "https://a/\n", "//a/b", "https:/a/b",
    ],
)  # fmt: skip
def test_what_is_no_page_is_said(url: str) -> None:
    """Whoever would ask it later would fail in a way that names no setting."""
    assert "https://" in (web_fault(url) or "")


@pytest.mark.parametrize("url", ["https://a/b?c=d", "http://127.0.0.1:80/", "https://[::1]:8443/k"])
def test_pages_are_taken(url: str) -> None:
    """With a port and without, by name and by number."""
    assert web_fault(url) is None
