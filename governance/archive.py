"""What is forgotten is archived first: rows as JSON lines, compressed, on disk before they go.

    rows ──► a gzip member at the end of the file ──► fsync ──► read back ──► deleted

Each member is whole in itself, so a crash costs at most the last one, whose rows are then still
in the database. ``zcat`` reads such a file like any other.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from schemas.errors import Unavailable
from schemas.wire import iso


class Archive:
    """One file of archived rows; made when the first rows come, never written over."""

    def __init__(self, folder: Path, now: datetime) -> None:
        name = iso(now).replace("-", "").replace(":", "")
        self.path = _unused(folder, f"governance-{name}")
        self.rows = 0

    def add(self, table: str, rows: Iterable[Mapping[str, Any]]) -> int:
        """Append *rows* of *table*, see them on disk and readable, and return their number.

        Raises:
            Unavailable: the disk does not take them.
        """
        lines = [json.dumps({"table": table, **row}, ensure_ascii=False) for row in rows]
        member = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass")
        try:
            self._append(gzip.compress(member, mtime=0), member)
        except OSError as error:
            raise Unavailable("archive", f"{self.path}: {error.strerror or error}") from error
        self.rows += len(lines)
        return len(lines)

    def _append(self, packed: bytes, member: bytes) -> None:
        """Write *packed* to the end of the file, and read it back as *member*.

        Raises:
            OSError: it was not written, or not as it should be.
        """
        is_new = not self.path.exists()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab+") as file:
            os.fchmod(file.fileno(), 0o600)
            begins = file.seek(0, os.SEEK_END)
            file.write(packed)
            file.flush()
            os.fsync(file.fileno())
            file.seek(begins)
            if gzip.decompress(file.read()) != member:
                raise OSError("what was written cannot be read back")
        if is_new:
            sync_folder(self.path.parent)


def sync_folder(folder: Path) -> None:
    """See the names in *folder* on disk: a file that was renamed stays so after a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unused(folder: Path, name: str) -> Path:
    """Return a file name in *folder* that nobody has taken."""
    path, number = folder / f"{name}.jsonl.gz", 1
    while path.exists():
        number += 1
        path = folder / f"{name}-{number}.jsonl.gz"
    return path
