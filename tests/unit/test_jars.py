"""The pinned jars: what arrives is checked, and what is wrong is refused by its name."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from embedded import jars
from schemas.errors import BadSetting, Unavailable

CONTENT = b"not really a jar"


class Quiet(SimpleHTTPRequestHandler):
    """Serves files without a word."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the folder of a Maven repository, served on this machine and known to jgo."""
    root = tmp_path / "mirror"
    root.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root))) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        settings = tmp_path / "jgo.conf"
        settings.write_text(f"[repositories]\nhere = http://127.0.0.1:{server.server_port}\n")
        monkeypatch.setenv("JGO_CONFIG_FILE", str(settings))
        yield root
        server.shutdown()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder in which jars are kept."""
    return tmp_path / "jars"


def pinned(tmp_path: Path, content: bytes) -> Path:
    """Return a lock file with one jar, tool-1.0.jar, whose bytes must be *content*."""
    lock = tmp_path / "jgo.lock.toml"
    lock.write_text(
        '[[dependencies]]\ngroupId = "org.example"\nartifactId = "tool"\nversion = "1.0"\n'
        f'sha256 = "{hashlib.sha256(content).hexdigest()}"\n'
    )
    return lock


def publish(mirror: Path, content: bytes) -> None:
    """Put the jar on the mirror."""
    place = mirror / "org" / "example" / "tool" / "1.0"
    place.mkdir(parents=True)
    (place / "tool-1.0.jar").write_bytes(content)


def test_a_missing_jar_is_fetched_from_the_mirror_and_said(
    tmp_path: Path, mirror: Path, folder: Path
) -> None:
    """A jar comes from the mirror of jgo's settings once, and progress names it."""
    publish(mirror, CONTENT)
    said: list[str] = []

    found = jars.fetch(said.append, folder=folder, lock=pinned(tmp_path, CONTENT))

    assert [jar.read_bytes() for jar in found] == [CONTENT]
    assert said[-1] == "downloading Apache Kafka: 1 of 1 jars (tool-1.0.jar)"
    assert [path.name for path in folder.iterdir()] == ["tool-1.0.jar"]


def test_a_jar_that_arrives_changed_is_refused_by_name_and_not_kept(
    tmp_path: Path, mirror: Path, folder: Path
) -> None:
    """Bytes from the network that differ from the pin never enter the folder."""
    publish(mirror, b"something else")

    with pytest.raises(BadSetting, match=r"tool-1\.0\.jar: its SHA-256 is"):
        jars.fetch(folder=folder, lock=pinned(tmp_path, CONTENT))

    assert list(folder.iterdir()) == []


def test_a_jar_that_changed_on_disk_is_refused_by_name(tmp_path: Path, folder: Path) -> None:
    """Every start checks again: what is on the disk now is what would run."""
    folder.mkdir()
    (folder / "tool-1.0.jar").write_bytes(b"something else")

    with pytest.raises(BadSetting, match=r"tool-1\.0\.jar: its SHA-256 is"):
        jars.fetch(folder=folder, lock=pinned(tmp_path, CONTENT))


@pytest.mark.usefixtures("mirror")
def test_a_jar_that_nobody_has_says_which(tmp_path: Path, folder: Path) -> None:
    """When a download fails, the error names the jar."""
    with pytest.raises(Unavailable, match=r"cannot download tool-1\.0\.jar"):
        jars.fetch(folder=folder, lock=pinned(tmp_path, CONTENT))


def test_the_lock_pins_every_jar_and_names_no_address() -> None:
    """The committed lock has a checksum for each jar, and whoever installs chooses the mirror."""
    assert all(len(jar.sha256) == 64 for jar in jars.locked())
    assert {"kafka_2.13", "kafka-clients", "log4j-core"} <= {j.artifact for j in jars.locked()}
    assert "://" not in jars.LOCK.read_text() + jars.SPEC.read_text()


def test_kafka_and_its_client_are_of_one_release() -> None:
    """Resolving must not let log4j's build choose an older Kafka client."""
    versions = {jar.version for jar in jars.locked() if jar.group == "org.apache.kafka"}

    assert len(versions) == 1
