"""Catalogues from files as people have them, kept by version, and used when codes are mapped. All texts are made up."""

from __future__ import annotations

import tracemalloc
from datetime import date

import pytest

from knowledge.codes import code_systems
from knowledge.errors import BadInput
from mappings.billing import Asked, Direction, MappedCode
from mappings.catalogue_rows import read_rows
from mappings.code_forms import Validity
from tools.catalogue_file import open_table
from tools.code_catalogues import (
    CatalogueAsked,
    Imported,
    VersionContradicts,
    catalogues_on,
    import_file,
    import_rows,
    remove_catalogue,
)
from tools.code_lists import map_billing_codes
from tools.store.errors import NotFound
from tools.store.open import Store, open_store
from tools.store.settings import Settings

TODAY = date(2026, 11, 21)
GOZ = "Ziffer;Leistungstext;Punktzahl;Einfachsatz\n0010;Prüfung;100;5,62\n2060;Füllung;527;29,64\n"


async def take(store: Store, text: str | bytes, system: str = "GOZ", **asked: object) -> Imported:
    data = text.encode() if isinstance(text, str) else text
    wish = CatalogueAsked(system, **{"file": "goz.csv", **asked})  # type: ignore[arg-type]
    return await import_file(store, wish, data, "anna", TODAY)


def since(year: int) -> Validity:
    return Validity(date(year, 1, 1))


async def mapped(store: Store, code: str, *, system: str = "dampsoft", named: str | None = "GOZ", on: date = TODAY,
                 direction: Direction = "from_pms") -> MappedCode:  # fmt: skip
    return (await map_billing_codes(store, system, [Asked(code, named)], direction, on, None))[0]


# -- files -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        GOZ.encode(),
        GOZ.encode("utf-8-sig"),
        GOZ.encode("latin-1"),
        GOZ.encode("cp437"),
        GOZ.encode("utf-16"),
        GOZ.replace("5,62", '"5,62"').replace("29,64", '"29,64"').replace(";", ",").encode(),
        GOZ.replace(";", "\t").encode(),
        GOZ.replace(";", "|").replace("\n", "\r\n").encode(),
        ("Auszug, Stand 2026\n\n" + GOZ.replace("\n", ";;\n")).encode(),
    ],
    ids=["utf-8", "bom", "latin-1", "cp437", "utf-16", "commas", "tabs", "bars", "title above, empty cells behind"],
)
async def test_a_file_is_read_in_any_delimiter_and_charset(store: Store, data: bytes) -> None:
    done = await take(store, data)
    found = await store.code_catalogues.entries(done.catalogue.id)
    assert [(each.code, each.text, each.points, each.price) for each in found] == [
        ("0010", "Prüfung", "100", "5.62"), ("2060", "Füllung", "527", "29.64"),
    ]  # fmt: skip
    assert (done.catalogue.codes, done.catalogue.kept_out, done.catalogue.whole) == (2, 0, True)


async def test_quoted_line_ends_keep_their_lines_and_an_open_quote_swallows_nothing_unsaid(store: Store) -> None:
    text = 'Code,Description\nD0120,"made up,\nfor a ""test"""\nD0140,"open\nD0150,next\nD0160,"closed"\nD0170,last\nD0180\n'
    done = await take(store, text, "CDT", file="cdt.csv")
    found = await store.code_catalogues.entries(done.catalogue.id)
    assert [(each.line, each.code, each.text) for each in found] == [
        (2, "D0120", 'made up,\nfor a "test"'), (7, "D0170", "last"),
    ]  # fmt: skip
    assert [(each.line, each.last_line, each.why) for each in done.content.read.remarks] == [
        (4, 6, "unreadable"), (8, 8, "unreadable"),
    ]  # fmt: skip
    assert (done.catalogue.whole, done.catalogue.kept_out) == (False, 2)


async def test_columns_are_known_by_their_names_or_named_and_the_rest_is_told(store: Store) -> None:
    text = "Nr;Ziffer;Bemerkung;Was\n1;0010;x;Prüfung\n2;2060;y;Füllung\n"
    done = await take(store, text, columns={"text": "Was"})
    assert done.content.used == {"code": "Ziffer", "text": "Was"}
    assert set(done.content.unused) == {"Nr", "Bemerkung"}
    named = await take(store, "A;B\n0010;x\n", columns={"code": "A"}, validity=since(2030), name="later")
    assert (named.catalogue.codes, named.content.unused) == (1, ("B",))


BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "blank": (b"\xef\xbb\xbf \r\n;;\n", "is empty"),
    "no column for codes": (b"Farbe;Form\nrot;rund\n", "no column for codes.*Farbe, Form.*--column code="),
    "workbook": (b"PK\x03\x04\x14\x00\x06\x00", "is a workbook"),
    "binary": (bytes(range(256)) * 20, "is not text"),
    "binary without NUL": (bytes(range(1, 256)) * 20, "is not text|no column for codes"),
    "header only": (b"Ziffer;Text\n", "holds no code of GOZ"),
    "another system's codes": (b"Code,Description\nD0120,x\n", r"holds no code of GOZ.*line 2: 'D0120' has no form"),
}


@pytest.mark.parametrize("name", BAD)
async def test_what_is_no_catalogue_says_why_and_leaves_nothing(store: Store, name: str) -> None:
    data, reason = BAD[name]
    with pytest.raises(BadInput, match=reason):
        await take(store, data)
    assert await store.code_catalogues.list() == []
    assert await store.audit.list() == []


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"system": "XYZ"}, "'XYZ' is none that is known"),
        ({"columns": {"colour": "Ziffer"}}, "no field 'colour'"),
        ({"columns": {"code": "Nirgends"}}, "no header with nirgends"),
        ({"validity": Validity(date(2026, 1, 1), date(2025, 1, 1))}, "lies before"),
        ({"name": " "}, "is empty"),
    ],
)
async def test_what_is_asked_wrongly_is_said(store: Store, asked: dict[str, object], reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        await take(store, GOZ, **asked)  # type: ignore[arg-type]


def large(rows: int) -> bytes:
    """CPT-like numbers, each for several years: no such catalogue exists."""
    lines = [f"{1000 + row % 20_000:05d},text {row % 20_000},{row % 90}.50,{1990 + row // 20_000}-01-01,"
             f"{1990 + row // 20_000}-12-31\n" for row in range(rows)]  # fmt: skip
    return ("code,description,fee,valid from,valid to\n" + "".join(lines)).encode()


def test_200_000_rows_are_read_and_none_is_lost() -> None:
    table = open_table("cpt.csv", large(200_000), code_systems()["CPT"], {})
    found = read_rows(code_systems()["CPT"], table.rows(), Validity(), TODAY)
    assert (len(found.entries), found.remarks) == (200_000, ())
    assert (found.entries[-1].line, found.entries[-1].code) == (200_001, "20999")


async def test_memory_grows_with_the_rows_only(sqlite_settings: Settings) -> None:
    data = large(5_000)
    async with open_store(sqlite_settings) as store:
        tracemalloc.start()
        done = await take(store, data, "CPT", file="cpt.csv")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert done.catalogue.codes == 5_000
    assert peak < 40 * len(data) + 8_000_000


# -- versions ----------------------------------------------------------------------------------------------------------


async def test_the_same_file_again_changes_nothing(store: Store) -> None:
    first = await take(store, GOZ)
    again = await take(store, GOZ, file="renamed.csv")
    assert (again.unchanged, again.catalogue) == (True, first.catalogue)
    assert len(await store.code_catalogues.list()) == 1
    (entry,) = await store.audit.list()
    assert (entry.action, entry.subject, entry.who) == ("codes.imported", first.catalogue.id, "anna")
    assert (entry.details["file"], entry.details["codes"]) == ("goz.csv", 2)
    assert entry.details["content_hash"] == first.catalogue.content_hash.hex()


async def test_a_version_that_says_otherwise_for_the_same_days_is_named_and_refused(store: Store) -> None:
    await take(store, GOZ, name="GOZ 2012")
    other = GOZ.replace("Füllung", "Anderes")
    with pytest.raises(VersionContradicts, match=r"'GOZ 2012' already.*patchbay codes remove cat_"):
        await take(store, other, name="GOZ 2012", validity=since(2020))
    with pytest.raises(VersionContradicts, match="without a first day"):
        await take(store, other, name="another")
    assert [each.name for each in await store.code_catalogues.list()] == ["GOZ 2012"]


async def test_a_new_version_keeps_the_old_one_and_the_day_decides(store: Store) -> None:
    await take(store, "Ziffer;Text;Punkte\n0010;alt;90\n2060;Füllung;500\n", name="old", validity=since(2012))
    await take(store, "Ziffer;Text;Punkte\n0010;neu;100\n2070;Krone;700\n", name="new", validity=since(2026))
    old, new = [await mapped(store, "0010", on=on) for on in (date(2025, 12, 31), date(2026, 1, 1))]
    assert (old.text, old.points, old.validity) == ("alt", "90", Validity(date(2012, 1, 1), date(2025, 12, 31)))
    assert (new.text, new.points, new.source) == ("neu", "100", "new (goz.csv)")
    assert [each.in_force for each in await catalogues_on(store, TODAY)] == [False, True]
    gone = await mapped(store, "2060")
    assert (gone.mark, gone.code, gone.validity.valid_to) == ("not_valid_on", "2060", date(2025, 12, 31))
    early = await mapped(store, "2070", on=date(2025, 1, 1))
    assert (early.mark, early.validity.valid_from) == ("not_valid_on", date(2026, 1, 1))


async def test_days_of_single_rows_count_within_their_catalogue(store: Store) -> None:
    await take(
        store, "Ziffer;Text;gültig ab;gültig bis\n0010;alt;;31.12.2019\n0010;neu;01.01.2020;\n2060;x;;30.06.2026\n"
    )
    assert [(await mapped(store, "0010", on=date(year, 5, 1))).text for year in (2019, 2020)] == ["alt", "neu"]
    assert (await mapped(store, "2060", on=date(2026, 6, 30))).mark == "exact"
    assert (await mapped(store, "2060")).mark == "not_valid_on"


# -- mapping -----------------------------------------------------------------------------------------------------------


async def test_what_a_whole_catalogue_lacks_passes_through_marked_and_a_part_says_nothing(store: Store) -> None:
    before = await mapped(store, "2070")
    assert (before.mark, before.listed) == ("exact", None)
    part = await take(store, GOZ, whole=False)
    assert (await mapped(store, "2070")).mark == "exact"
    await remove_catalogue(store, part.catalogue.id, "anna")
    await take(store, GOZ)
    lacking = await mapped(store, "2070")
    assert (lacking.mark, lacking.code, lacking.listed) == ("unknown", "2070", False)
    assert "does not list it" in lacking.reason


async def test_a_file_with_unreadable_rows_is_no_whole_catalogue(store: Store) -> None:
    done = await take(store, GOZ + "2070;zu;viele;Zellen;hier\n")
    assert not done.catalogue.whole
    assert (await mapped(store, "2070")).mark == "exact"


async def test_analogies_and_modifiers_are_listed_by_their_code(store: Store) -> None:
    await take(store, GOZ)
    assert [(await mapped(store, code)).mark for code in ("2060a", "2070a")] == ["exact", "unknown"]
    await take(store, "code,description\n92014,made up\n", "CPT", file="cpt.csv")
    fitted = await mapped(store, "92014-25", system="epic", named="CPT")
    assert (fitted.mark, fitted.text, fitted.listed) == ("exact", "made up", True)


async def test_a_catalogue_decides_which_code_system_is_meant(store: Store) -> None:
    assert (await mapped(store, "Ä1", named=None)).mark == "ambiguous"
    await take(store, "Nummer;Leistung\nÄ1;erfunden\n", "BEMA", file="bema.csv", whole=False)
    assert (await mapped(store, "Ä1", named="BEMA")).text == "erfunden"


async def test_catalogues_are_the_tenants_own_and_removing_one_is_told(store: Store, store_settings: Settings) -> None:
    done = await take(store, GOZ)
    async with open_store(store_settings, tenant="other") as other:
        assert await other.code_catalogues.list() == []
        assert await other.code_catalogues.entries(done.catalogue.id) == []
        assert await other.code_catalogues.having(["0010"]) == []
        with pytest.raises(NotFound):
            await remove_catalogue(other, done.catalogue.id, "eve")
        await take(other, GOZ)
    await remove_catalogue(store, done.catalogue.id, "anna")
    assert await store.code_catalogues.entries(done.catalogue.id) == []
    assert [each.action for each in await store.audit.list()] == ["codes.imported", "codes.removed"]
    with pytest.raises(NotFound):
        await remove_catalogue(store, done.catalogue.id, "anna")


async def test_rows_with_named_fields_are_read_like_a_file(store: Store) -> None:
    rows = [{"code": "0010", "text": "Prüfung"}, {"code": "nichts"}]
    done = await import_rows(store, CatalogueAsked("GOZ", "rows"), rows, "anna", TODAY)  # type: ignore[arg-type]
    assert done.catalogue.codes == 1
    assert [(each.line, each.why) for each in done.content.read.remarks] == [(2, "no_form")]
    assert (await import_rows(store, CatalogueAsked("GOZ", "rows"), rows, "anna", TODAY)).unchanged  # type: ignore[arg-type]
