"""Alembic's entry: runs on the connection that `tools.store.migrating` hands over."""

from __future__ import annotations

from alembic import context

from tools.store import code_tables, onboarding_tables, operation_tables, service_tables  # noqa: F401 - their tables are METADATA's too
from tools.store.migrations import VERSION_TABLE
from tools.store.tables import METADATA


def ours(object_: object, name: str | None, type_: str, reflected: bool, compare_to: object) -> bool:
    """Tables of LangGraph and of the job engine live beside ours and migrate by themselves."""
    return type_ != "table" or not reflected or name in METADATA.tables


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=VERSION_TABLE,
    render_as_batch=True,
    include_object=ours,
)
with context.begin_transaction():
    context.run_migrations()
