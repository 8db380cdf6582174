"""The broker's jars: exactly those of ``jgo.lock.toml``, fetched once and checked every time.

    jgo.toml        what we ask for                  (people edit it)
    jgo.lock.toml   every jar, version and SHA-256   (``make lock`` writes it)

Jars are kept in ``$XDG_CACHE_HOME/autonomy-governance/jars`` (``~/.cache/…`` without it), so
that a fresh clone or ``rm -r var`` does not fetch them again. A jar enters that folder by a
rename after its checksum was right, so an interrupted download leaves nothing behind.

jgo fetches without Maven. A mirror is named in jgo's own configuration (``~/.config/jgo.conf``,
section ``repositories``); the project names none.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import tomllib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import requests
from jgo.config import GlobalSettings
from jgo.env import LockedDependency, LockFile
from jgo.maven import MavenContext

from schemas.errors import BadSetting, Unavailable

SPEC: Final = Path(__file__).with_name("jgo.toml")
LOCK: Final = Path(__file__).with_name("jgo.lock.toml")
AT_ONCE: Final = 8
"""Downloads at the same time: most jars are small, so the round trips are what takes long."""
TIMEOUT: Final = 30
"""Seconds without a byte after which a download has failed."""

Progress = Callable[[str], None]
"""Is told, in a few words, what is going on; may be called from any thread."""


@dataclass(frozen=True, slots=True)
class Jar:
    """One row of the lock file."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def name(self) -> str:
        """Return the file name, as Maven writes it."""
        return f"{self.artifact}-{self.version}.jar"


def locked(lock: Path = LOCK) -> list[Jar]:
    """Return the jars that *lock* pins, in class path order."""
    rows = tomllib.loads(lock.read_text(encoding="utf-8"))["dependencies"]
    return [Jar(row["groupId"], row["artifactId"], row["version"], row["sha256"]) for row in rows]


def cache() -> Path:
    """Return the folder of this user in which jars are kept between runs and clones."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "autonomy-governance" / "jars"


def fetch(
    progress: Progress = lambda _: None, *, folder: Path | None = None, lock: Path = LOCK
) -> list[Path]:
    """Return the class path, after fetching what *folder* lacks and checking every jar.

    Raises:
        Unavailable: A jar is missing and cannot be downloaded.
        BadSetting: A jar is not the one that *lock* pins, whoever put it there.
    """
    folder = folder or cache()
    jars = locked(lock)
    missing = [jar for jar in jars if not (folder / jar.name).exists()]
    if missing:
        _download(missing, folder, progress)
    for jar in jars:
        _check(jar, folder / jar.name)
    return [folder / jar.name for jar in jars]


def _download(jars: list[Jar], folder: Path, progress: Progress) -> None:
    """Bring *jars* into *folder*, each whole and checked or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    progress(f"downloading Apache Kafka: {len(jars)} jars, once")
    with (
        tempfile.TemporaryDirectory(dir=folder, prefix=".incoming-") as incoming,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        context = _maven(Path(incoming))
        arrivals = pool.map(lambda jar: _bring(jar, context, folder), jars)
        for count, jar in enumerate(arrivals, start=1):
            progress(f"downloading Apache Kafka: {count} of {len(jars)} jars ({jar.name})")


def _bring(jar: Jar, context: MavenContext, folder: Path) -> Jar:
    component = context.project(jar.group, jar.artifact).at_version(jar.version)
    try:
        arrived = component.artifact().resolve()
    except (OSError, RuntimeError, requests.RequestException) as problem:
        raise Unavailable("Kafka's jars", f"cannot download {jar.name}: {problem}") from problem
    _check(jar, arrived)
    arrived.replace(folder / jar.name)
    return jar


def _check(jar: Jar, path: Path) -> None:
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != jar.sha256:
        raise BadSetting(
            str(path),
            f"its SHA-256 is {found}, but {LOCK.name} pins {jar.sha256}; "
            "find out who changed it, remove the file, and start again",
        )


def _maven(repository: Path) -> MavenContext:
    """Return a Maven that keeps its files in *repository* and honours the user's mirrors."""
    mirrors = GlobalSettings.load().repositories
    return MavenContext(repo_cache=repository, remote_repos=mirrors or None, timeout=TIMEOUT)


def resolve(coordinates: Iterable[str], context: MavenContext) -> list[Any]:
    """Return what *coordinates* need, in order of precedence.

    One at a time: resolved together, the versions that log4j's own build manages (an older
    Jackson, even an older Kafka client) would replace those that Kafka was released with.
    """
    chosen: dict[tuple[str, str], Any] = {}
    for coordinate in coordinates:
        asked, transitive = context.resolver.resolve([context.create_dependency(coordinate)])
        for dependency in [*asked, *transitive]:
            chosen.setdefault((dependency.groupId, dependency.artifactId), dependency)
    return list(chosen.values())


def relock(spec: Path = SPEC, lock: Path = LOCK) -> None:
    """Resolve *spec* anew and write what came to *lock*, without a date, so that diffs are real."""
    wanted = tomllib.loads(spec.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as repository:
        found = resolve(wanted["dependencies"]["coordinates"], _maven(Path(repository)))
        rows = [LockedDependency.from_dependency(dependency) for dependency in found]
    LockFile(rows, environment_name=wanted["environment"]["name"], min_java_version=17).save(lock)
    kept = [line for line in lock.read_text().splitlines() if not line.startswith("generated = ")]
    lock.write_text("\n".join(kept) + "\n", encoding="utf-8")


if __name__ == "__main__":
    relock()
