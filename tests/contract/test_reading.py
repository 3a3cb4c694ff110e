"""Every adapter, its own simulator, real wires: what is read is the truth, and nothing is lost or doubled on the way."""

from __future__ import annotations

from typing import Any

from knowledge.catalogue import catalogue
from tools.adapters.pages import Cursor

# Fixtures come from conftest.py: Office (one simulated practice) and Mirror (what its pages brought).
Office = Any
Mirror = Any


async def test_a_first_read_is_the_truth_in_every_declared_field(office: Office, mirror: Mirror) -> None:
    await mirror.read_all()
    for entity in await office.entities():
        assert await office.differences(entity, mirror.records(entity)) == []


async def test_every_field_of_the_truth_is_declared_or_left_out_with_a_reason(office: Office) -> None:
    left_out = {path for spec in office.method.streams.values() for path in spec.left_out}
    for entity in await office.entities():
        rows = (await office.truth(entity)).values()
        carried = {f"{entity}.{name}" for row in rows for name in row}
        declared = {f"{entity}.{name}" for name in office.declared(entity)}
        derived = {f"{entity}.id", f"{entity}.patient_id"}  # contract, Identity: a second entity takes the row's key
        assert carried - declared - left_out - derived == set()


def test_every_declared_column_says_where_it_belongs_or_why_nowhere(system: str) -> None:
    for method in catalogue()[system].methods:
        for name, spec in method.streams.items():
            undecided = [column for column, field in spec.fields.items() if not field.maps and not field.left_out]
            assert undecided == [], name


async def test_what_the_source_shows_is_what_the_manifest_describes(office: Office, adapter: Any) -> None:
    for table in (await adapter.introspect(samples=50)).tables:
        described = set(office.method.streams[table.name].fields)
        assert {column.name for column in table.columns} <= described, table.name


async def test_another_process_reads_on_from_nothing_but_the_cursor(office: Office) -> None:
    for stream in office.method.streams:
        keys: list[str] = []
        cursor, end = None, False
        while not end:  # every page by an adapter that never saw the one before
            async with office.adapter() as adapter:
                page = await adapter.read_page(stream, cursor)
                office.ledger.tokens |= set(page.tokens)
            keys += [row.key for row in page.rows]
            cursor, end = Cursor.model_validate_json(page.cursor.model_dump_json()), page.end
        async with office.adapter(ledger=type(office.ledger)()) as adapter:
            whole = [row.key async for page in adapter.read_changes(stream, None) for row in page.rows]
        assert sorted(keys) == sorted(whole), stream


async def test_the_same_cursor_reads_the_same_place_again(office: Office, adapter: Any) -> None:
    for stream in office.method.streams:
        first = await adapter.read_page(stream, None)
        if first.end:
            continue
        once, twice = [await adapter.read_page(stream, first.cursor) for _ in range(2)]
        assert [row.key for row in once.rows] == [row.key for row in twice.rows], stream


async def test_increments_bring_the_practices_work(office: Office, mirror: Mirror) -> None:
    await mirror.read_all()
    for _ in range(2):
        assert len(await office.work(30)) > 0
        await mirror.read_all()
        await mirror.sweep()
        for entity in await office.entities():
            assert await office.differences(entity, mirror.records(entity)) == []


async def test_an_increment_reads_less_than_everything(office: Office, mirror: Mirror) -> None:
    await mirror.read_all()
    for stream, spec in office.method.streams.items():
        if spec.cursor is None or len(mirror.rows.get(stream, {})) < 20:
            continue
        pages = await mirror.read(stream)
        assert sum(len(page.rows) for page in pages) < len(mirror.rows[stream]), stream


async def test_a_read_that_hits_its_cap_says_so_and_goes_on_from_there(office: Office) -> None:
    capped = office.method.model_copy(update={"settings": {**office.method.settings, "max_pages": 2}})
    ends = []
    async with office.adapter(method=capped) as adapter:
        for stream in office.method.streams:
            pages = [page async for page in adapter.read_changes(stream, None)]
            if len(pages) < 2 or pages[-1].end:
                continue
            assert len(pages) == 2
            assert pages[-1].capped
            assert not pages[-1].complete
            ends.append(await adapter.read_page(stream, pages[-1].cursor))
    assert ends or all(spec.paging is None for spec in office.method.streams.values())
