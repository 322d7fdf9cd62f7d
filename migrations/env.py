"""Runs the migrations on the connection that marketplace.kit.migrations hands over."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=context.config.attributes.get("metadata"),
    include_name=lambda name, kind, _parents: not (kind == "table" and name.startswith("procrastinate_")),
)
with context.begin_transaction():
    context.run_migrations()
