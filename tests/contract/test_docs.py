"""What the documents promise is there: links, commands, settings, exit codes, topics, schemas."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import typer.main
from jsonschema import Draft202012Validator
from typer.core import TyperGroup

from cli.main import app
from cli.settings_table import default_of, variables_of
from embedded.exits import Exit
from schemas.errors import BadRecord
from schemas.events import MAX_LABELS, Reason, Status
from schemas.export import SCHEMAS, asyncapi_document, documents, schema
from schemas.settings import Settings
from schemas.tallies import EARLINESS, ID_LIMIT, ID_MEMORY, LATENESS
from schemas.topics import TOPICS
from streams.codec import decode

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(
    path for path in (*ROOT.glob("*.md"), *DOCS.rglob("*.md")) if path.name != "runbook.md"
)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
COMMAND = re.compile(r"governance ((?:[a-z]+ )?[a-z]+)")


def read(name: str) -> str:
    """Return a document."""
    return (ROOT / name).read_text(encoding="utf-8")


def rows(text: str) -> list[list[str]]:
    """Return the cells of every table row, without the backquotes around whole cells."""
    found = [line.strip("|").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip().strip("`") for cell in row] for row in found]


def anchors(page: Path) -> set[str]:
    """Return what a link into *page* may name, as code hosts make it of headings."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every link within the project names a file that is there, and a heading in it."""
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if link.startswith("http"):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


def test_the_readme_is_short() -> None:
    """Who has five minutes reads all of it."""
    assert len(read("README.md").splitlines()) <= 150


def commands() -> set[str]:
    """Return every command of the command line."""
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    found = set()
    for name, command in group.commands.items():
        inner = command.commands if isinstance(command, TyperGroup) else {}
        found |= {f"{name} {each}" for each in inner}
        if not inner or command.invoke_without_command:  # type: ignore[attr-defined]
            found.add(name)
    return found


@pytest.mark.parametrize("page", ["README.md", "docs/operations.md", "docs/events.md"])
def test_commands_in_documents_exist(page: str) -> None:
    """Whatever stands in code after `governance` is a command."""
    known = commands()
    code = re.findall(r"`(?:\.venv/bin/)?governance [^`]*`", read(page))
    code += re.findall(r"^(?:\.venv/bin/)?governance .*$", read(page), flags=re.MULTILINE)
    for line in code:
        match = COMMAND.search(line)
        assert match is not None, line
        assert match[1] in known or match[1].split()[0] in known, line


def test_the_readme_names_every_command() -> None:
    """What can be done is found without trying: each command, and each group by one of its own."""
    table = {row[0].removeprefix("governance ").split()[0] for row in rows(read("README.md"))}
    missing = {command.split()[0] for command in commands()} - table
    assert not missing, f"the table of commands in README.md lacks {sorted(missing)}"


def test_every_setting_is_documented_with_its_default() -> None:
    """The table has one row for each setting: all its variables, and its default."""
    page = read("docs/operations.md")
    missing = [row for row in map(settings_row, Settings.model_fields) if row not in page]
    assert not missing, "docs/operations.md lacks rows that begin so:\n" + "\n".join(missing)

    known = {f"`{name}`" for field in Settings.model_fields for name in variables_of(field)}
    shown = re.findall(r"^\| (`GOVERNANCE_[A-Z_]+`) \|", page, flags=re.MULTILINE)
    assert set(shown) <= known


def test_every_setting_does_something() -> None:
    """Each is read by the code: what can be set and changes nothing would be a promise broken."""
    packages = ("schemas", "streams", "governance", "api", "cli", "embedded")
    code = "\n".join(read(str(path)) for name in packages for path in (ROOT / name).rglob("*.py"))
    unread = [field for field in Settings.model_fields if not re.search(rf"\.{field}\b", code)]
    assert not unread


def settings_row(field: str) -> str:
    """Return how the row of a setting begins: its variables, and its default."""
    names = " or ".join(f"`{name}`" for name in reversed(variables_of(field)))
    default = default_of(field)
    if field == "worker_id" or default is None:
        return f"| {names} | {default or ''} |"
    return f"| {names} | `{default}` |"


def test_every_exit_code_is_documented() -> None:
    """The table is the enumeration."""
    table = {int(row[0]): row[1] for row in rows(read("docs/operations.md")) if row[0].isdecimal()}
    assert table == {code.value: code.name for code in Exit}


def test_the_table_of_topics_is_the_code() -> None:
    """Names, partitions, keys and clean-up are those with which topics are created."""
    table = {row[0]: row for row in rows(read("docs/topics.md"))}
    for topic in TOPICS:
        row = table[topic.name]
        assert row[1:3] == [str(topic.partitions), topic.key]
        assert topic.schema in row[3]
        assert row[4] == topic.cleanup
        if topic.cleanup == "delete" and topic.retention_ms > 0:
            assert row[5] == f"{topic.retention_ms // 86_400_000} days"


def test_what_producers_are_told_is_what_is_done() -> None:
    """Numbers, statuses and reasons in the page are those of the code."""
    page = read("docs/events.md")
    assert f"{LATENESS // 1000} s older" in page
    assert f"more than {EARLINESS // 1000} s ahead" in page
    assert f"for {ID_MEMORY // 60_000} minutes" in page
    assert ID_LIMIT == 500_000 and "half a million ids" in page
    assert f"up to {MAX_LABELS} names" in page
    for word in (*Status, *Reason):
        assert f"`{word.value}`" in page


def test_example_events_are_events() -> None:
    """Each line in the page for producers, and in the examples, is one that counts."""
    block = re.search(r"```json\n(.*?)```", read("docs/events.md"), flags=re.DOTALL)
    assert block is not None
    lines = [*block[1].splitlines(), *read("examples/events.jsonl").splitlines()]
    assert len(lines) == 10
    for line in lines:
        decode(line.encode())
        Draft202012Validator(schema("event")).validate(json.loads(line))


def test_generated_documents_are_those_of_the_models() -> None:
    """What is committed is what `make schemas` writes."""
    made = documents()
    assert {str(path.relative_to(DOCS)) for path in (DOCS / "schemas").iterdir()} == {
        name for name in made if name.startswith("schemas/")
    }
    for name, text in made.items():
        assert (DOCS / name).read_text(encoding="utf-8") == text, f"{name}: run `make schemas`"


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_json_schemas_are_schemas(name: str) -> None:
    """Each is valid in the dialect that it names."""
    Draft202012Validator.check_schema(schema(name))


@pytest.mark.parametrize(
    "wrong",
    [{"kind": "x"}, {"status": "vanished"}, {"id": ""}, {"commandType": None}, {"epoch": -1}],
)
def test_the_schema_of_events_refuses_what_a_worker_refuses(wrong: dict[str, Any]) -> None:
    """A producer that validates by the schema is not surprised by a dead letter."""
    event = json.loads(read("examples/events.jsonl").splitlines()[0]) | wrong
    assert not Draft202012Validator(schema("event")).is_valid(event)
    with pytest.raises(BadRecord):
        decode(json.dumps(event).encode())


def test_asyncapi_names_every_topic_and_points_at_schemas() -> None:
    """Every channel is a topic with its settings; every payload is a document that is there."""
    channels = asyncapi_document()["channels"]
    assert list(channels) == [topic.name for topic in TOPICS]
    for channel in channels.values():
        for message in channel["messages"].values():
            reference = message.get("payload", {}).get("$ref")
            assert reference is None or (DOCS / reference).exists()
