"""What is left of a SQLite file and its log after a crash, or after worse.

Images are taken while people and judges write: between two writes, and while pages are being
moved out of the log. Each is cut, or a byte of its log is turned, and opened again: it is what
was committed at some moment, or it is refused by name.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from governance import handlers
from governance.desk import Desk
from governance.store import Store, wal
from schemas.errors import BadSetting, Refused
from tests.desks import NOON, desk_at, settings_for
from tests.mixed_writes import write

ROOT = Path(__file__).parents[2]
WRITES = 120
FILES = ("", "-wal", ".checkpoint")
"""The ends of the names of the files that an image has; the index of the log is made anew."""


def digest(file: Path) -> str:
    """Return a hash of everything that a database holds."""
    with closing(sqlite3.connect(file)) as database:
        return hashlib.sha256("\n".join(database.iterdump()).encode()).hexdigest()


@dataclass
class Album:
    """Images of one database, and every moment that was committed."""

    folder: Path
    images: list[Path] = field(default_factory=list)
    moments: set[str] = field(default_factory=set)

    @property
    def file(self) -> Path:
        """Return the database itself."""
        return self.folder / "governance.db"

    def note(self) -> None:
        """Remember what is committed now."""
        self.moments.add(digest(self.file))

    def take(self) -> None:
        """Copy the files as they are."""
        image = self.folder / f"image-{len(self.images)}"
        image.mkdir()
        copy(self.folder, image)
        self.images.append(image)


def copy(source: Path, target: Path) -> None:
    """Copy the files of a database."""
    for end in FILES:
        if (source / f"governance.db{end}").exists():
            shutil.copyfile(source / f"governance.db{end}", target / f"governance.db{end}")


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Album]:
    """Return images of a database that was written, and whose log was emptied, many times."""
    album = Album(tmp_path_factory.mktemp("album"))
    store = Store(f"sqlite:///{album.file}")
    store.migrate()
    album.note()
    store.close()
    desk = desk_at(f"sqlite:///{album.file}")
    album.note()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wal, "LIMIT", 400_000)
        for number in range(WRITES):
            # A reader that holds its view lets pages be moved, and the log not be emptied.
            with desk.store.reading() as unit:
                unit.autonomy.is_there()
                if number % 7:
                    write(desk, number)
                    album.note()
                    album.take()
            if not number % 7:
                write(desk, number)
                album.note()
                album.take()
    yield album
    desk.store.close()


@dataclass(frozen=True)
class Damage:
    """What is done to a log, in words and by a function of its bytes."""

    name: str
    do: Callable[[bytes, random.Random], bytes]


def cut(content: bytes, chance: random.Random) -> bytes:
    """Cut the log at any byte."""
    return content[: chance.randrange(len(content))]


def flip(content: bytes, chance: random.Random) -> bytes:
    """Turn a byte of the log."""
    place = chance.randrange(len(content))
    return content[:place] + bytes([content[place] ^ chance.randint(1, 255)]) + content[place + 1 :]


DAMAGES = (Damage("cut", cut), Damage("flip", flip))


def opened(image: Path, folder: Path, damage: Damage, chance: random.Random) -> str | None:
    """Damage a copy of *image* and open it; return the digest of what is there, or None.

    None is a refusal that names the file and says what to do.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    copy(image, folder)
    file = folder / "governance.db"
    log = wal.log_of(file)
    log.write_bytes(damage.do(log.read_bytes(), chance))
    store = Store(f"sqlite:///{file}")
    try:
        store.migrate(thoroughly=True)
        desk = Desk(store, settings_for(), lambda _: (_ for _ in ()).throw(Refused("unused")))
        assert handlers.verify_audit(desk).intact
    except BadSetting as refused:
        assert str(file) in str(refused)
        assert "governance db restore" in str(refused)
        return None
    finally:
        store.close()
    return digest(file)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("number", [120, pytest.param(1_000, marks=pytest.mark.chaos)])
def test_a_damaged_log_is_a_committed_moment_or_refused(
    album: Album, tmp_path: Path, number: int
) -> None:
    """Never a mixture, never a chain that does not verify, never an error without a name."""
    chance = random.Random(number)
    with_log = [image for image in album.images if (image / "governance.db-wal").stat().st_size]
    became: Counter[str] = Counter()
    for turn in range(number):
        damage = DAMAGES[turn % 2]
        found = opened(chance.choice(with_log), tmp_path / "opened", damage, chance)
        assert found is None or found in album.moments, f"{damage.name}: a moment that never was"
        became[f"{damage.name} {'refused' if found is None else 'opened'}"] += 1
    sys.stdout.write(f"\n{dict(became)}\n")
    assert set(became) == {"cut opened", "cut refused", "flip opened", "flip refused"}


def test_what_a_crash_leaves_is_opened(album: Album, tmp_path: Path) -> None:
    """An image as it is, whenever it was taken, is what was committed last."""
    leave = Damage("nothing", lambda content, _: content)
    for image in album.images[:: len(album.images) // 20]:
        assert opened(image, tmp_path / "opened", leave, random.Random(1)) in album.moments


def test_a_torn_last_transaction_is_no_damage(album: Album, tmp_path: Path) -> None:
    """A loss of power may write the commit and not all before it: what was not told is dropped."""

    def tear(content: bytes, _: random.Random) -> bytes:
        last = len(content) - 4096 - wal.FRAME.size - 100
        return content[:last] + b"torn" + content[last + 4 :]

    images = [one for one in album.images if not (one / "governance.db.checkpoint").exists()]
    torn = Damage("torn", tear)
    found = opened(images[-1], tmp_path / "opened", torn, random.Random(1))
    assert found in album.moments


def test_a_damaged_page_is_found_after_a_crash(album: Album, tmp_path: Path) -> None:
    """The file is checked page by page when the last stop was no good end."""
    image = next(one for one in album.images[50:] if (one / "governance.db-wal").stat().st_size)
    copy(image, tmp_path)
    file = tmp_path / "governance.db"
    content = bytearray(file.read_bytes())
    content[8 * 4096 : 20 * 4096] = bytes(12 * 4096)
    file.write_bytes(content)
    store = Store(f"sqlite:///{file}")
    with pytest.raises(BadSetting, match="is damaged"):
        store.migrate(thoroughly=True)
    store.close()


def test_what_was_undone_is_no_damage(tmp_path: Path) -> None:
    """A long transaction that was undone leaves frames behind; shorter ones overwrite some."""
    file = tmp_path / "governance.db"
    desk = desk_at(f"sqlite:///{file}")
    with pytest.MonkeyPatch.context() as patch, desk.store.reading() as unit:
        patch.setattr(wal, "LIMIT", 100_000)
        unit.autonomy.is_there()
        for number in range(0, 18, 6):
            with pytest.raises(ZeroDivisionError), desk.store.writing() as undone:
                for place in range(3_000):
                    undone.outbox.put("alerts", f"k{place}", b"x" * 3_000, at=NOON)
                raise ZeroDivisionError
            write(desk, number)
        (tmp_path / "image").mkdir()
        copy(tmp_path, tmp_path / "image")
    desk.store.close()
    image = tmp_path / "image" / "governance.db"
    assert wal.log_of(image).stat().st_size > 8_000_000
    assert wal.marker_of(image).exists()
    assert wal.damage(image) is None
    again = desk_at(f"sqlite:///{image}")
    assert handlers.verify_audit(again).intact
    again.store.close()


def test_the_log_stays_short(desk: Desk) -> None:
    """However much is written, it is emptied again and again; with a reader, once that is gone."""
    file = desk.store._file
    if file is None:
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wal, "LIMIT", 100_000)
        with desk.store.reading() as unit:
            unit.autonomy.is_there()
            for number in range(12):
                write(desk, number)
            assert wal.log_of(file).stat().st_size > 200_000
            assert wal.marker_of(file).exists()
        write(desk, 12)
        assert wal.log_of(file).stat().st_size == 0
        assert not wal.marker_of(file).exists()


@pytest.mark.timeout(1_800)
@pytest.mark.parametrize(
    ("kills", "writes"), [(10, 250), pytest.param(200, 5_000, marks=pytest.mark.chaos)]
)
def test_what_was_told_survives_every_kill(tmp_path: Path, kills: int, writes: int) -> None:
    """A writer that is killed again and again loses no write that it was told had happened.

    Nothing is half done either: the file is whole, the chain verifies, the offset is that of
    the last action applied.
    """
    command = [sys.executable, "-m", "tests.mixed_writes", str(tmp_path), str(kills), str(writes)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    seen = json.loads(done.stdout)
    sys.stdout.write(f"\n{seen}\n")
    assert seen["kills"] == kills
    assert seen["writes"] > writes // 2
