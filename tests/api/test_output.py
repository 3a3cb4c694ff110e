"""What a person sees: tables that fit the screen they are on, or lists; and nothing that steers a terminal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from api.output import Output, harmless, one_line, short_time

if TYPE_CHECKING:
    from tests.api.conftest import Patchbay

ROWS = [("int_abcdefghijkl", "Practice Dr. Blau at 127.0.0.1:38597", "dentrix", "live")]
COLUMNS = ("id", "practice", "system", "state")


def printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(width))
    Output().table("Integrations", COLUMNS, ROWS)
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("width", [200, 100, 80, 70, 50, 40, 20])
def test_no_line_is_wider_than_the_screen_and_no_id_is_broken(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    lines = printed(capsys, monkeypatch, width)
    tabular = any("│" in line for line in lines)
    assert tabular == (width >= 70)
    if tabular:
        assert max(map(len, lines)) <= width
    assert any("int_abcdefghijkl" in line for line in lines)


def test_a_cell_is_never_markup(capsys: pytest.CaptureFixture[str]) -> None:
    Output().table("T", ("name",), [("[red]x[/red]",)])
    assert "[red]x[/red]" in capsys.readouterr().out


def test_what_a_source_sent_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output()
    output.text("a\x1b[2Jb\x07c\u202ed")
    output.say("a\x1b[2Jb")
    output.table("t\x1b[1m", ("c\x1b",), [("v\x9b",)])
    seen = capsys.readouterr()
    assert all(char.isprintable() or char == "\n" for char in seen.out + seen.err)


def test_a_table_without_rows_is_its_title(capsys: pytest.CaptureFixture[str]) -> None:
    Output().table("Nothing waits for a person.", ("a", "b"), [])
    assert capsys.readouterr().out == "Nothing waits for a person.\n"


def test_for_a_machine_there_is_nothing_but_lines_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(as_json=True)
    output.table("T", ("a",), [("x",)])
    output.text("words")
    output.say("progress")
    output.line({"name": "Müller", "note": "a\nb"})
    seen = capsys.readouterr()
    assert len(seen.out.splitlines()) == 1
    assert json.loads(seen.out) == {"name": "Müller", "note": "a\nb"}
    assert seen.err == "progress\n"


def test_long_messages_are_cut_in_the_middle() -> None:
    text = one_line("begin " + "x" * 50_000 + " end")
    assert len(text) < 1100
    assert text.startswith("begin")
    assert text.endswith("end")


def test_moments_are_to_the_minute() -> None:
    assert short_time("2026-11-21T07:00:12.5+00:00") == "2026-11-21 07:00Z"
    assert short_time(None) == ""
    assert harmless("a\tb") == "a b"


@pytest.mark.parametrize("width", ["40", "60", "80", "200"])
def test_every_listing_is_readable_on_any_screen(
    patchbay: Patchbay, live: str, monkeypatch: pytest.MonkeyPatch, width: str
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    listings = (
        ["integrations"],
        ["health"],
        ["systems"],
        ["records", live, "Patient"],
        ["questions"],
        ["dead-letters", live],
    )
    for listing in listings:
        ended = patchbay(*listing)
        assert ended.code == 0
        drawn = [line for line in ended.out.splitlines() if line[:1] in "┏┡│└┃"]
        assert all(len(line) <= int(width) for line in drawn)
    assert live in patchbay("integrations").out


JSON_COMMANDS = (
    ["systems"], ["systems", "Dentrix"], ["integrations"], ["questions"], ["health"], ["health", "{live}"],
    ["records", "{live}", "Patient"], ["dead-letters", "{live}"], ["sync", "{live}"], ["sync", "--due"], ["heal", "{live}"],
    ["pause", "{live}"], ["resume", "{live}"], ["migrate"], ["backup", "{tmp}/b"], ["disconnect", "{live}", "--erase"],
)  # fmt: skip


def test_json_means_json_on_every_command(patchbay: Patchbay, live: str, tmp_path: object) -> None:
    for command in JSON_COMMANDS:
        ended = patchbay(*(part.format(live=live, tmp=tmp_path) for part in command), "--json")
        assert ended.code == 0, (command, ended.err)
        assert all(isinstance(line, dict) for line in ended.lines), command
