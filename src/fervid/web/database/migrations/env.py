"""What Alembic runs around every migration; the connection comes with the configuration."""

from alembic import context

from fervid.web.database.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,  # SQLite cannot alter most things of a table
    compare_server_default=True,
)
with context.begin_transaction():
    context.run_migrations()
