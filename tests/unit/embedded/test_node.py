"""A broker's files are in its folder, whatever that folder is called."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from embedded.kafka import classpath
from embedded.node import SETTINGS, Address, KafkaNode, Machine
from schemas.errors import BadSetting

NAMES: Final = (
    "plain", "with space", " leading", "trailing ", "two  spaces", "a,b", ",", ", and more,",
    "Rösterei", "Rösterei, Halle 2", "焙煎所", "🔥", "e\u0301", "ÿ\u0080", "hash#1", "#hash",
    "!mark", "100%", "50%20off", "%2F", "what?", "back\\slash", "\\", "\\u0041", "col:on",
    "C:\\kafka", "dollar$HOME", "${HOME}", "${sys:user.home}", "$(id)", "`id`", "quote's",
    'double"quote', "eq=ual", "star*", "[a-z]", "{a,b}", "semi;colon", "am&p", "pipe|d", "<in>",
    "-dash", "--version", "~", "new\nline", "tab\there", "\x1b[2J", "x" * 255,
    b"latin-1 \xe9\xff".decode("utf-8", "surrogateescape"),
)  # fmt: skip
"""What people call folders, and what they should not."""

JAVA: Final = """#!/bin/sh
# Stands in for Java: makes the folder that the settings name, as Kafka would read them.
for last in "$@"; do :; done
test -f "$last" || exit 3
where=$(sed -n 's/^log.dirs=//p' "$last")
{ test -d "$where" || mkdir "$where"; } && printf '%s\\n' "$LC_ALL" "$@" > "$where/meta.properties"
"""


@pytest.fixture
def starter() -> Iterator[Executor]:
    """Return a pool of one thread that lives as long as the test."""
    with ThreadPoolExecutor(1) as pool:
        yield pool


def node_in(folder: Path, starter: Executor) -> KafkaNode:
    """Return a configured node whose Java is a stand-in."""
    java = folder / "java"
    folder.mkdir(parents=True)
    java.write_text(JAVA)
    java.chmod(0o755)
    address = Address(1, 28_001, 28_002)
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT)
    machine = Machine(java, "jars/*", lock)
    node = KafkaNode(folder / "node-1", address, machine=machine, starter=starter)
    node.configure([address])
    return node


def files(folder: Path) -> set[str]:
    """Return every file below *folder*, by its path there."""
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize("name", NAMES)
def test_data_are_in_the_folder_whatever_it_is_called(
    tmp_path: Path, starter: Executor, name: str
) -> None:
    """Formatted and started there, and nothing is anywhere else."""
    node = node_in(tmp_path / name, starter)
    node.format("Abc")
    assert node.is_formatted
    (node.folder / "data" / "meta.properties").unlink()

    node.start()
    os.waitid(os.P_PID, node.pid or 0, os.WEXITED | os.WNOWAIT)
    node.stop()

    assert files(tmp_path / name / "node-1") == {
        "data/meta.properties", "log4j2.properties", "logs/console.log", SETTINGS,
    }  # fmt: skip
    assert files(tmp_path) == {
        *(f"{name}/node-1/{file}" for file in files(node.folder)), f"{name}/java", f"{name}/lock"
    }  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_java_is_told_nothing_of_the_folders_name(
    tmp_path: Path, starter: Executor, name: str
) -> None:
    """Its settings are the same in every folder, in ASCII, and so is what it is called with."""
    node, plain = node_in(tmp_path / name, starter), node_in(tmp_path / "_" / "_", starter)
    assert (node.folder / SETTINGS).read_bytes() == (plain.folder / SETTINGS).read_bytes()
    node.format("Abc")
    locale, *told = (node.folder / "data" / "meta.properties").read_bytes().splitlines()
    assert locale == b"C.UTF-8"
    assert not [word for word in told if os.fsencode(tmp_path) in word]
    assert all(word.isascii() for word in told)


def test_a_colon_in_the_folder_of_the_jars_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Java would take it for two folders, and say that it knows no class of that name."""
    libs = tmp_path / "C:kafka" / "libs"
    libs.mkdir(parents=True)
    (libs / "kafka-server-4.jar").touch()
    monkeypatch.setenv("KAFKA_HOME", str(libs.parent))
    with pytest.raises(BadSetting, match=r"KAFKA_HOME: ':' in .*parts two folders"):
        classpath()


def test_a_relative_home_of_kafka_is_found_from_every_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker runs in another folder than the one in which the variable was set."""
    (tmp_path / "kafka" / "libs").mkdir(parents=True)
    (tmp_path / "kafka" / "libs" / "kafka-server-4.jar").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KAFKA_HOME", "kafka")
    assert classpath() == f"{tmp_path}/kafka/libs/*"
