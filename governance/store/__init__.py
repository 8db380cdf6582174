"""The database: the only place that knows SQL.

`Store` opens transactions; a `Unit` is one transaction, with a shelf for each kind of thing.
SQLite by default, PostgreSQL by address; both hold the same tables, made by the migrations.
"""

from governance.store.store import Store
from governance.store.unit import Unit

__all__ = ["Store", "Unit"]
