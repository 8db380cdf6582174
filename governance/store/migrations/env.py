"""What Alembic runs to reach the database: the connection that `migrate` hands it."""

from __future__ import annotations

from alembic import context

from governance.store.tables import SCHEMA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SCHEMA,
    # SQLite alters a table by making it anew.
    render_as_batch=True,
)
context.run_migrations()
