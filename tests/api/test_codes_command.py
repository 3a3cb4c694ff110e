"""`patchbay codes`: a catalogue is imported, listed, shown, used and removed; what is handed over wrongly says why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

GOZ = "Ziffer;Was\n0010;Prüfung\n65;Füllung\nAbschnitt B;\n"


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "goz.csv"
    path.write_bytes(GOZ.encode("latin-1"))
    return str(path)


def test_a_catalogue_is_imported_listed_shown_used_and_removed(patchbay: Any, file: str) -> None:
    words = ("codes", "import", file, "--system", "GOZ", "--valid-from", "2012-01-01", "--column", "text=Was")
    made = patchbay(*words, "--json")
    assert made.code == 0, made.err
    assert [(each["line"], each["why"]) for each in made.event("kept_out")] == [(4, "no_form")]
    assert (made.done["event"], made.done["name"], made.done["codes"], made.done["respelt"]) == (
        "imported",
        "goz",
        2,
        1,
    )
    assert patchbay(*words, "--json").done["event"] == "unchanged"
    id_ = made.done["id"]
    listed = patchbay("codes", "list", "--json").done
    assert (listed["id"], listed["in_force"], listed["holds_from"]) == (id_, True, "2012-01-01")
    assert not patchbay("codes", "list", "--on", "2011-01-01", "--json").done["in_force"]
    shown = patchbay("codes", "show", id_[:8], "0065", "--json")
    assert [(each["line"], each["code"], each["text"]) for each in shown.event("code")] == [(3, "0065", "Füllung")]
    use = ("codes", "map", "0010", "2060", "--system", "dampsoft", "--code-system", "GOZ", "--json")
    assert [(each["code"], each["mark"], each["text"]) for each in patchbay(*use).lines] == [
        ("0010", "exact", "Prüfung"), ("2060", "unknown", None),
    ]  # fmt: skip
    assert patchbay("codes", "remove", id_, "--json").done["event"] == "removed"
    assert patchbay("codes", "list", "--json").out == ""


def test_a_person_reads_what_was_kept_out_and_what_it_means(patchbay: Any, file: str) -> None:
    ended = patchbay("codes", "import", file, "--system", "goz", "--part")
    assert ended.code == 0, ended.err
    for words in ("'Abschnitt B' has no form of GOZ", "Not used: Was", "such as 65 → 0065", "2 codes, always; 1 rows"):
        assert words in ended.out
    assert "part" in patchbay("codes", "list").out
    out = patchbay("codes", "map", "1", "--system", "dampsoft", "--to-pms", "--code-system", "GOÄ")
    assert "Ä1" in out.out


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("import", "FILE", "--system", "XYZ"), "'XYZ' is none"),
        (("import", "FILE", "--system", "GOZ", "--valid-from", "gestern"), "--valid-from"),
        (("import", "FILE", "--system", "GOZ", "--column", "code"), "--column code"),
        (("import", "FILE", "--system", "CDT"), "holds no code of CDT"),
        (("import", "nowhere.csv", "--system", "GOZ"), "nowhere.csv"),
        (("show", "cat_none"), "no such catalogue"),
        (("remove", "cat_none"), "no such catalogue"),
        (("map", "01", "--system", "nobody"), "'nobody'"),
        (("map", "01", "--system", "dampsoft", "--on", "2026-02-30"), "--on"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(patchbay: Any, file: str, arguments: tuple[str, ...], named: str) -> None:
    ended = patchbay("codes", *[file if each == "FILE" else each for each in arguments])
    assert (ended.code, ended.out) == (2, "")
    assert named in ended.err
    assert len(ended.err.splitlines()) == 1


def test_a_version_that_contradicts_is_refused_with_the_way_out(patchbay: Any, file: str) -> None:
    assert patchbay("codes", "import", file, "--system", "GOZ").code == 0
    Path(file).write_text(GOZ.replace("Füllung", "Anderes"), encoding="utf-8")
    ended = patchbay("codes", "import", file, "--system", "GOZ")
    assert ended.code == 2
    assert "patchbay codes remove cat_" in ended.err
