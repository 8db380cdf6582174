"""Backups as files: what one holds, its manifest beside it, and nothing half written.

governance-20261123T120000Z.db.gz          the copy, compressed
governance-20261123T120000Z.db.gz.json     its manifest: what is in it, and its checksum
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from pydantic import ValidationError

from governance.archive import sync_folder
from schemas.errors import NotFound, Refused, Unavailable
from schemas.wire import Moment, Wire, iso

GZIP: Final = b"\x1f\x8b"
PG_DUMP: Final = b"PGDMP"
"""How files begin, whatever they are called."""


class Head(Wire):
    """The head of the audit log: the checkpoint that the manifest keeps."""

    seq: int
    hash: str


class Offset(Wire):
    """From where Kafka's records are applied again after a restore."""

    topic: str
    partition: int
    next_offset: int


class Contents(Wire):
    """What a database holds at one moment, as far as a restore is judged by it."""

    revision: str
    state: dict[str, Any]
    audit: Head
    rules: list[str]
    offsets: list[Offset]
    unpublished: int


class Manifest(Contents):
    """What a backup holds, and by which it is known."""

    file: str
    kind: str
    made_at: Moment
    bytes: int
    sha256: str


def default_file(folder: Path, kind: str, now: datetime) -> Path:
    """Return where a backup made *now* goes unless somebody says where."""
    moment = iso(now)[:19].replace("-", "").replace(":", "")
    ending = "db.gz" if kind == "sqlite" else "dump.gz"
    return folder / f"governance-{moment}Z.{ending}"


def manifest_of(file: Path) -> Path:
    """Return where the manifest of a backup is."""
    return Path(f"{file}.json")


def read_manifest(file: Path) -> Manifest | None:
    """Return the manifest of a backup, or None if it has none that can be read."""
    try:
        return Manifest.model_validate_json(manifest_of(file).read_bytes())
    except (OSError, ValidationError):
        return None


def newest_manifest(folder: Path) -> Manifest | None:
    """Return that of the last backup in *folder*, or None if there is none."""
    backups = (path.with_suffix("") for path in folder.glob("*.json"))
    found = (read_manifest(backup) for backup in backups if backup.is_file())
    return max((one for one in found if one), key=lambda one: one.made_at, default=None)


@contextmanager
def workplace(target: Path) -> Iterator[Path]:
    """Give a folder beside *target* that only we can read, and that is gone afterwards.

    Raises:
        Unavailable: the disk does not take what is written there.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".governance-", dir=target.parent) as folder:
            yield Path(folder)
    except OSError as error:
        raise Unavailable("disk", f"{target.parent}: {error.strerror or error}") from error


def check_unused(file: Path) -> None:
    """See that no backup is written over.

    Raises:
        Refused: there is one of that name.
    """
    if file.exists():
        raise Refused(f"{file} is there already", allowed_when="choose another name")


def compress(source: Path, target: Path) -> None:
    """Write *source*, compressed, to *target*."""
    with source.open("rb") as plain, gzip.open(target, "wb", compresslevel=6) as packed:
        shutil.copyfileobj(plain, packed, 1 << 20)


def check_packed(packed: Path, plain: Path) -> None:
    """See that *packed* unpacks to *plain* again, byte for byte.

    Raises:
        Refused: it does not: a disk that loses what it was given.
    """
    with gzip.open(packed, "rb") as unpacked, plain.open("rb") as original:
        while piece := original.read(1 << 20):
            if unpacked.read(len(piece)) != piece:
                raise Refused(f"{packed} does not unpack to what was written")


def unpack(backup: Path, target: Path) -> None:
    """Write the database that *backup* holds, compressed or not, to *target*.

    Raises:
        NotFound: there is no such file.
        Refused: it is cut off or damaged.
    """
    if not backup.is_file():
        raise NotFound("backup", str(backup))
    reader = gzip.open if first_bytes(backup).startswith(GZIP) else open
    try:
        with reader(backup, "rb") as packed, target.open("wb") as plain:
            shutil.copyfileobj(packed, plain, 1 << 20)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise Refused(f"{backup} is damaged: {error}") from error


def first_bytes(file: Path) -> bytes:
    """Return how *file* begins."""
    with file.open("rb") as opened:
        return opened.read(16)


def sha256_of(file: Path) -> str:
    """Return the checksum of *file*, as ``sha256sum`` prints it."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def finish(packed: Path, target: Path, manifest: Manifest) -> None:
    """Give a backup its name, and its manifest; before that they are not there at all."""
    told = packed.with_name("manifest")
    told.write_text(manifest.model_dump_json(by_alias=True, indent=2) + "\n", "utf-8")
    for file, name in ((packed, target), (told, manifest_of(target))):
        file.chmod(0o600)
        with file.open("rb") as written:
            os.fsync(written.fileno())
        file.replace(name)
    sync_folder(target.parent)
