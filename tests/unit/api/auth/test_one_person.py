"""One person is one person under every name that looks like theirs, over HTTP and on disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from governance import handlers
from governance.callers import Role
from governance.people import is_same_person
from governance.service import StateService
from schemas.errors import BadRequest
from tests.unit.api.auth.conftest import Bearer, Person, renamed
from tests.unit.api.auth.test_two_people import ITEM, code, sign, waiting
from tests.unit.cli.test_command_line import run

PAIRS = (
    *(("anna", f"anna{one}") for one in "\u034f\u3164\ufe0f\u2800\u200b\u200c\u200d\u2060\ufeff"),
    *(("anna", f"an{one}na") for one in "\u00ad\u061c\u115f\u1160\u17b4\u180e\u200e\u202e\uffa0"),
    *(("anna", f"anna{one}") for one in "\u0301\u0308\u0327\u0332\u20dd\U000e0100\U000e0041"),
    *(("anna", name) for name in ("Anna", "ANNA", "anna ", " anna", "anna\u00a0", "anna\u2003")),
    *(("anna", name) for name in ("аnna", "аnnа", "ａnna", "ａｎｎａ", "𝐚nna", "ⓐnna", "ɑnna")),
    *(("anna", name) for name in ("annα", "änna", "ａ\u0308nna", "ᵃnna", "ᴀnna", "𝖆nna")),
    *(("ben", name) for name in ("bеn", "Вen", "beп", "ｂen", "ьеn", "𝒷en", "bén", "вen")),
    *(("olga", name) for name in ("оlga", "0lga", "o1ga", "oIga", "ѳlga", "օlga", "olgа", "oӏga")),
    *(("cleo k", name) for name in ("cleo  k", "cleo\u2009k", "cleo \u200bk", "сlео к", "ϲleo k")),
    ("morris", "rnorris"), ("jörg", "jorg"), ("jörg", "jo\u0308rg"), ("łukasz", "lukasz"),
    ("ivan", "iv\u13aan"), ("ivan", "\ua4f2van"), ("wanda", "vvanda"), ("sasha", "ѕаѕһа"),
)  # fmt: skip
"""A name, and another that can be taken for it."""

IN_ASCII = [pair for pair in PAIRS if pair[0].isascii()]

OTHERS = (
    ("anna", "ben"), ("anna", "hanna"), ("anna ek", "annaek"), ("jörg", "joerg"), ("анна", "иван"),
    ("hans", "hanna"), ("user12", "user22"), ("a.b@example.org", "a.c@example.org"),
    ("auth0|5f7c8ec7c33c6c004bbafe82", "auth0|5f7c8ec7c33c6c004bbafe83"), ("安娜", "安妮"),
    ("9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d", "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6e"),
)  # fmt: skip
"""Two people."""


@pytest.mark.parametrize(("name", "other"), PAIRS)
def test_a_name_that_looks_like_another_is_the_same_person(name: str, other: str) -> None:
    """Whichever of the two comes first."""
    assert is_same_person(name, other)
    assert is_same_person(other, name)


@pytest.mark.parametrize(("name", "other"), OTHERS)
def test_two_people_stay_two(name: str, other: str) -> None:
    """Ordinary names, addresses and the ids of providers are told apart."""
    assert not is_same_person(name, other)


@pytest.mark.parametrize(("name", "other"), IN_ASCII)
def test_nobody_gets_a_token_under_a_name_that_looks_like_theirs(
    service: StateService, name: str, other: str
) -> None:
    """What is asked for is refused, and says which name is meant or which character is wrong."""
    handlers.create_token(service.desk, name, [Role.TECH_LEAD], by="boot")
    if name == other.strip():
        return  # the very same name
    with pytest.raises(BadRequest, match="the same name is spelt"):
        handlers.create_token(service.desk, other, [Role.OPS_LEAD], by="boot")


@pytest.mark.parametrize(("name", "other"), IN_ASCII)
def test_nobody_signs_for_themselves_under_a_name_of_before(
    guarded: TestClient, service: StateService, name: str, other: str
) -> None:
    """Neither by asking for the very same nor by countersigning it."""
    people = []
    for number, spelt in enumerate((name, other)):
        token, text = handlers.create_token(
            service.desk, f"person number {number}", [Role.TECH_LEAD], by="boot"
        )
        renamed(service, token.id, spelt)
        people.append({"Authorization": f"Bearer {text}"})
    act = waiting(guarded.patch(ITEM, headers=people[0], json={"weight": 1}))
    if name == other.strip():
        return  # the very same name
    assert code(sign(guarded, act, people[1])) == (409, "own_act")
    again = guarded.patch(ITEM, headers=people[1], json={"weight": 1})
    assert code(again) == (409, "own_act")
    assert "told from" in again.json()["detail"]


def test_two_people_with_names_of_before_sign_for_each_other(
    guarded: TestClient, service: StateService, bearer: Bearer, ben: Person
) -> None:
    """Nobody is locked out by a name that was fine until now, and it can be kept."""
    token, text = handlers.create_token(service.desk, "x", [Role.TECH_LEAD], by="boot")
    renamed(service, token.id, "Jörg")
    joerg = {"Authorization": f"Bearer {text}"}
    act = waiting(guarded.patch(ITEM, headers=joerg, json={"weight": 1}))
    assert sign(guarded, act, ben).json()["carried"] is True
    assert guarded.get(ITEM.rsplit("/", 1)[0], headers=bearer("Jörg", Role.VIEWER)).is_success


def test_the_command_line_says_what_is_wrong_with_a_name(tmp_path: Path) -> None:
    """One line names the character, or the token that has the name already."""
    assert run(tmp_path, "token", "create", "anna", "--role", "tech-lead").returncode == 0
    odd = run(tmp_path, "token", "create", "Łu\u3164kasz", "--role", "ops-lead")
    same = run(tmp_path, "token", "create", "аnna", "--role", "ops-lead")
    assert (odd.returncode, same.returncode) == (1, 1)
    assert "U+0141 LATIN CAPITAL LETTER L WITH STROKE" in odd.stderr
    assert "the same name is spelt 'anna' on a token" in same.stderr
    listed = json.loads(run(tmp_path, "token", "list", "--json").stdout)
    assert [token["principal"] for token in listed] == ["anna"]
