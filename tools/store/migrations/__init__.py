"""Alembic's scripts, part of the package: `patchbay migrate` runs them from wherever it is installed."""

HEAD = "r0008"  # known without importing Alembic, so that opening an up-to-date store costs one query
VERSION_TABLE = "patchbay_schema"
