"""The tables of billing catalogues: what a tenant imported, and its codes. Nothing in them is a patient's, so nothing is sealed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, Text
from sqlmodel import Field

from tools.store.columns import Ident, Sealed, UtcTime
from tools.store.tables import StoreTable, core


class CodeCatalogueRow(StoreTable, table=True):
    """One version of a code system as a file of the tenant's gave it. Days are ISO text, null is without end."""

    __tablename__ = "code_catalogues"
    __table_args__ = (Index("uq_code_catalogues_name", "tenant", "code_system", "name", unique=True),)
    id: str = Field(primary_key=True, sa_type=Ident)
    tenant: str = Field(sa_type=Ident)
    code_system: str = Field(sa_type=Ident)
    name: str = Field(sa_type=Ident)
    valid_from: str | None = Field(default=None, sa_type=Ident)
    valid_to: str | None = Field(default=None, sa_type=Ident)
    whole: bool
    codes: int
    kept_out: int
    file: str = Field(sa_type=Text)
    content_hash: bytes = Field(sa_type=Sealed)
    imported_at: datetime = Field(sa_type=UtcTime)
    imported_by: str = Field(sa_type=Text)


class CodeEntryRow(StoreTable, table=True):
    """One code of a catalogue, by the line of the file where it stood; points and price are plain decimals."""

    __tablename__ = "code_entries"
    __table_args__ = (Index("ix_code_entries_code", "tenant", "code"),)
    catalogue_id: str = Field(primary_key=True, sa_type=Ident)
    line: int = Field(primary_key=True)
    tenant: str = Field(sa_type=Ident)
    code: str = Field(sa_type=Ident)
    text: str | None = Field(default=None, sa_type=Text)
    abbreviation: str | None = Field(default=None, sa_type=Text)
    points: str | None = Field(default=None, sa_type=Text)
    price: str | None = Field(default=None, sa_type=Text)
    category: str | None = Field(default=None, sa_type=Text)
    valid_from: str | None = Field(default=None, sa_type=Ident)
    valid_to: str | None = Field(default=None, sa_type=Ident)


CODE_CATALOGUES, CODE_ENTRIES = core(CodeCatalogueRow), core(CodeEntryRow)
