"""Whatever is handed over wrongly: one sentence that names place and mend, exit code 2, and nothing left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.api.conftest import Ended, Patchbay

NOWHERE = "http://127.0.0.1:1"


def assert_one_sentence(ended: Ended, *names: str) -> None:
    assert ended.code == 2, ended.err
    assert ended.out == ""
    assert len(ended.err.splitlines()) == 1
    assert ended.err.startswith("patchbay: ")
    assert "Traceback" not in ended.err
    assert "fault of our own" not in ended.err
    for name in names:
        assert name in ended.err


@pytest.fixture
def typed(patchbay: Patchbay, home: Path) -> Callable[..., Ended]:
    """Run a command that must refuse, and see that it left nothing."""

    def run(*arguments: object, stdin: str = "") -> Ended:
        ended = patchbay(*arguments, stdin=stdin)
        assert patchbay("integrations", "--json").out == ""
        assert patchbay("questions", "--json").out == ""
        return ended

    return run


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str, bytes], str]:
    def write(name: str, data: bytes) -> str:
        path = tmp_path / name
        path.write_bytes(data)
        return str(path)

    return write


# -- addresses ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["detect", "connect"])
@pytest.mark.parametrize(
    ("address", "names"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("host\nname", "control characters"),
        ("\x1b[31mhost", "control characters"),
        ("http://exa\u202emple/", "control characters"),
        ("http://host/%00", "control characters"),
        ("https://user:secret@host/x", "credentials file"),
        ("postgresql://u:secret@host/db", "credentials file"),
        ("postgresql://host/db?password=secret", "behind ?"),
        ("gopher://host", "gopher"),
        ("http://", "no host"),
        ("http://[::1", "malformed"),
        ("http://host:99999", "port"),
        ("http://host:abc", "port"),
        ("host:0", "port 0"),
        ("host name", "blank"),
        ("http://ho st/", "no name of a host"),
        ("http://a..b/", "no name of a host"),
        ("http://" + "a" * 300, "no name of a host"),
        ("http://" + "a/" * 5000, "longer than"),
        ("sqlite:///", "no path"),
        ("file://", "no path"),
        ("file:///nowhere/outbox", "no such file or folder"),
        ("sqlite:////nowhere/practice.db", "no such file or folder"),
        ("./nowhere", "no such file or folder"),
        ("~nobody-of-that-name/outbox", "home directory"),
    ],
)
def test_an_address_that_is_none(typed: Callable[..., Ended], command: str, address: str, names: str) -> None:
    ended = typed(command, address)
    assert_one_sentence(ended, "address", names)
    assert "secret" not in ended.err.replace("a secret belongs", "")


# -- credentials -------------------------------------------------------------------------------------------------------

BROKEN_CREDENTIALS = {
    "empty": (b"", "empty"),
    "blank": (b" \n", "empty"),
    "array": (b"[1]", "no JSON object"),
    "text": (b'"hunter2"', "no JSON object"),
    "null": (b"null", "no JSON object"),
    "half": (b'{"password": "hunter2",\n "x":', "line 2"),
    "binary": (bytes(range(256)), "UTF-8"),
    "utf-16": ('{"password": "hunter2"}'.encode("utf-16"), "UTF-8"),
    "nul byte": (b'{"password": "hunter2\x00"}', "NUL"),
    "escaped nul": (b'{"password": "hunter2\\u0000"}', "field password"),
    "header injection": (b'{"api_key": "hunter2\\r\\nX-Admin: yes"}', "field api_key"),
    "lone surrogate": (b'{"password": "hunter2\\ud800"}', "field password"),
    "nested": (b'{"login": {"password": "hunter2"}}', "field login"),
    "list in a field": (b'{"password": ["hunter2"]}', "field password"),
    "truth value": (b'{"password": true}', "field password"),
    "fraction": (b'{"password": 1.5}', "field password"),
    "deep": (b'{"a":' * 50_000, "nested too deeply"),
    "huge": (b'{"password": "' + b"x" * 100_000 + b'"}', "field password"),
    "huge number": (b'{"password": ' + b"9" * 10_000 + b"}", "too long"),
    "unprintable name": (b'{"a\\u001b[31m": "hunter2"}', "field"),
    "missing key file": (b'{"private_key_file": "nowhere.pem"}', "field private_key_file"),
    "folder as CA": (b'{"ca_file": "."}', "field ca_file"),
    "CA that is none": (b'{"ca_file": "itself.json"}', "field ca_file"),
}


@pytest.mark.parametrize("kind", BROKEN_CREDENTIALS)
def test_credentials_that_cannot_be_used(typed: Callable[..., Ended], file: Callable[..., str], kind: str) -> None:
    data, names = BROKEN_CREDENTIALS[kind]
    path = file("itself.json", data)
    ended = typed("connect", NOWHERE, "--credentials", path)
    assert_one_sentence(ended, "credentials file", path, names)
    assert "hunter2" not in ended.err


def test_credentials_that_are_not_there(typed: Callable[..., Ended], tmp_path: Path) -> None:
    assert_one_sentence(typed("connect", NOWHERE, "--credentials", tmp_path / "none.json"), "none.json", "No such file")
    assert_one_sentence(typed("detect", NOWHERE, "--credentials", tmp_path), str(tmp_path), "no file")
    assert_one_sentence(typed("connect", NOWHERE, "--credentials", ""), "credentials file")
    assert_one_sentence(typed("connect", NOWHERE, "--credentials", "-", stdin=""), "standard input", "empty")
    assert_one_sentence(typed("connect", NOWHERE, "--credentials", "-", stdin="[]"), "standard input")


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may read every file")
def test_credentials_that_may_not_be_read(typed: Callable[..., Ended], file: Callable[..., str]) -> None:
    path = file("locked.json", b"{}")
    Path(path).chmod(0)
    assert_one_sentence(typed("connect", NOWHERE, "--credentials", path), "Permission denied")


# -- the other options of connect --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "value", "names"),
    [
        ("--entities", "Patient,Nonsense", "Nonsense"),
        ("--entities", "", "names none"),
        ("--entities", "x" * 10_000, "there is no entity"),
        ("--time-zone", "Mars/Olympus", "Mars/Olympus"),
        ("--time-zone", "../etc/passwd", "../etc/passwd"),
        ("--time-zone", "", "no zone"),
        ("--country", "Germany", "ISO 3166"),
        ("--country", "", "ISO 3166"),
        ("--practice", "", "--practice"),
        ("--practice", "a\x1b[0m", "control characters"),
        ("--practice", "x" * 500, "too long"),
    ],
)
def test_options_that_mean_nothing(typed: Callable[..., Ended], option: str, value: str, names: str) -> None:
    assert_one_sentence(typed("connect", NOWHERE, option, value), option, names)


BROKEN_DESCRIPTIONS = {
    "empty.csv": (b"", "empty"),
    "prose.txt": (b"Dear colleague,\nhere is our schema.\n", "line 2"),
    "headless.csv": (b"x,y\n1,2\n", "line 2"),
    "binary.csv": (bytes(range(256)), "UTF-8"),
    "half.json": (b'{"tables": [', "line 1"),
    "deep.json": (b'{"a":' * 50_000, "nested too deeply"),
    "no_tables.json": (b"[]", "no tables"),
    "no_columns.json": (b'{"tables": [{"name": "x"}]}', "no columns"),
    "nameless.json": (b'{"tables": [{"columns": []}]}', "tables.0.name"),
    "odd_api.json": (b'{"openapi": "3.1.0", "components": []}', "no columns"),
    "code.yaml": (b'!!python/object/apply:os.system ["true"]', "line 1"),
    "open.yaml": (b"a: [", "line 2"),
}


@pytest.mark.parametrize("name", BROKEN_DESCRIPTIONS)
def test_descriptions_that_describe_nothing(typed: Callable[..., Ended], file: Callable[..., str], name: str) -> None:
    data, names = BROKEN_DESCRIPTIONS[name]
    assert_one_sentence(typed("connect", NOWHERE, "--docs", file(name, data)), "--docs", name, names)


# -- corrections -------------------------------------------------------------------------------------------------------

GOOD = b'{"system": "dentrix", "source_table": "t", "source_column": "c", "corrected": null}\n'
BROKEN_CORRECTIONS = {
    "empty": (b"", "line 1"),
    "second line is not JSON": (GOOD + b"{oops", "line 2"),
    "list": (b"[1, 2]", "line 1"),
    "no system": (b'{"source_table": "t", "source_column": "c", "corrected": null}', "lacks system"),
    "says nothing": (b'{"system": "dentrix", "source_table": "t", "source_column": "c"}', "corrected"),
    "unknown field": (
        b'{"system":"d","source_table":"t","source_column":"c","corrected":{"target_table":"Patient","target_column":"x"}}',
        "Patient.x",
    ),
    "unknown transform": (GOOD.replace(b"null}", b'null, "transform": {"kind": "guess"}}'), "transform"),
    "unknown question": (GOOD + GOOD.replace(b"null}", b'null, "question": "q_none"}'), "q_none"),
    "csv without the form": (b"a,b\n1,2\n", "lacks the column system"),
    "csv with an unknown field": (
        b"system,source_table,source_column,target_table,target_column\nd,t,c,Patient,x\n", "line 2",
    ),
    "csv that nobody filled in": (b"system,source_table,source_column,target_table,target_column\nd,t,c,,\n", "no correction"),
    "binary": (bytes(range(256)), "UTF-8"),
    "deep": (b'{"a":' * 50_000, "nested too deeply"),
    "huge field": (b"system,source_table,source_column,target_table,target_column\n" + b"x" * 200_000, "no CSV"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BROKEN_CORRECTIONS)
def test_corrections_are_taken_whole_or_not_at_all(
    typed: Callable[..., Ended], patchbay: Patchbay, file: Callable[..., str], kind: str
) -> None:
    data, names = BROKEN_CORRECTIONS[kind]
    path = file("corrections.txt", data)
    assert_one_sentence(typed("correct", path), path, names)
    assert stored_corrections(patchbay) == 0


def stored_corrections(patchbay: Patchbay) -> int:
    import sqlite3

    database = sqlite3.connect(Path(os.environ["PATCHBAY_HOME"]) / "patchbay.db")
    (count,) = database.execute("SELECT count(*) FROM corrections").fetchone()
    database.close()
    return int(count)


def test_good_corrections_are_taken(patchbay: Patchbay, file: Callable[..., str]) -> None:
    assert patchbay("correct", file("corrections.jsonl", GOOD)).code == 0
    assert stored_corrections(patchbay) == 1


# -- sources and schemas -----------------------------------------------------------------------------------------------

BROKEN_SOURCES = {
    "empty.json": (b"", "line 1"),
    "half.json": (b'{"tables": [', "line 1"),
    "deep.json": (b'{"a":' * 50_000, "nested too deeply"),
    "number.json": (b"9" * 5_000, "too long"),
    "no_list.json": (b'{"tables": 5}', "tables"),
    "nameless.json": (b'{"tables": [{"name": "t", "columns": [{}]}]}', "tables.0.columns.0.name"),
    "nothing.json": (b'{"tables": []}', "no table"),
    "empty.csv": (b"", "no table"),
    "broken.xml": (b"<a", "line 1"),
    "entity.xml": (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "DOCTYPE"),
    "latin1.json": ('{"tables": [{"name": "Prüfung"}]}'.encode("latin-1"), "UTF-8"),
}


@pytest.mark.parametrize("name", BROKEN_SOURCES)
def test_sources_without_a_schema(patchbay: Patchbay, file: Callable[..., str], name: str) -> None:
    data, names = BROKEN_SOURCES[name]
    assert_one_sentence(patchbay("map", file(name, data), "--json"), name, names)


@pytest.mark.parametrize("name", ["half.json", "no_list.json", "nameless.json", "latin1.json", "nothing.json"])
def test_targets_without_a_schema(patchbay: Patchbay, file: Callable[..., str], name: str) -> None:
    source = file("source.json", b'{"tables": [{"name": "p", "columns": [{"name": "vorname"}]}]}')
    assert_one_sentence(patchbay("map", source, "--target", file(name, BROKEN_SOURCES[name][0]), "--json"))


def test_sources_that_are_not_there(patchbay: Patchbay, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for source in (
        tmp_path / "none",
        tmp_path / "empty",
        "http://host/",
        "mllp://host",
        f"sqlite:///{tmp_path}/none.db",
    ):
        assert_one_sentence(patchbay("map", source, "--json"))
    assert_one_sentence(patchbay("map", tmp_path, "--top", "0"), "--top")


# -- wrong usage -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"], ["--nonsense"], ["connect"], ["records", "int_x"], ["sync"], ["sync", "int_x", "--due"],
        ["records", "int_x", "patient"], ["records", "int_none", "Patient"], ["records", "%", "Patient"],
        ["dead-letters", "int_none"], ["pause", "int_none"], ["resume", ""], ["disconnect", "'; drop table records"],
        ["sync", "int_none"], ["health", "int_none"], ["heal", "int_none"], ["systems", "nonsense"],
        ["simulate", "../dentrix"], ["simulate", "dentrix", "--port", "70000"], ["simulate", "dentrix", "--patients", "0"],
        ["simulate", "dentrix", "--patients", "99999999999"], ["eval", "nonsense"], ["eval", "mapping", "--sets", "/none"],
        ["answer", "thr_none", "q_none", "x"], ["questions", "thr_none"], ["questions", "--export", "/none/x.csv"],
        ["backup", "/none/x"], ["backup", "/tmp"], ["backup", __file__], ["restore", "/none/x"], ["restore", "/tmp"], ["records", "\udcff", "Patient"],
    ],
    ids=lambda arguments: ascii(" ".join(arguments).replace(__file__, "this")),
)  # fmt: skip
def test_wrong_usage(patchbay: Patchbay, arguments: list[str]) -> None:
    assert_one_sentence(patchbay(*arguments))


def test_no_command_shows_the_help_and_is_wrong_usage(patchbay: Patchbay) -> None:
    ended = patchbay()
    assert ended.code == 2
    assert "connect" in ended.out


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PATCHBAY_DATABASE_URL", "nonsense"), ("PATCHBAY_DATABASE_URL", "mysql://h/d"), ("PATCHBAY_KEY", "short"),
        ("PATCHBAY_LOG_LEVEL", "loud"), ("PATCHBAY_LOG_FORMAT", "xml"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named(patchbay: Patchbay, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    assert_one_sentence(patchbay("integrations"), name)


def test_a_database_of_ours_that_is_down_is_a_failed_job(patchbay: Patchbay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATCHBAY_DATABASE_URL", "postgresql://user:hunter2@127.0.0.1:1/db")
    ended = patchbay("integrations")
    assert (ended.code, len(ended.err.splitlines())) == (1, 1)
    assert "hunter2" not in ended.err


def test_a_fault_of_our_own_is_told_without_its_text(patchbay: Patchbay, monkeypatch: pytest.MonkeyPatch) -> None:
    import api.commands.catalogue

    def fail(*_: object, **__: object) -> int:
        raise ZeroDivisionError("Erika Mustermann, born 12.08.1964")

    monkeypatch.setattr(api.commands.catalogue, "show_systems", fail)
    ended = patchbay("systems")
    assert (ended.code, len(ended.err.splitlines())) == (1, 1)
    assert "ZeroDivisionError" in ended.err
    assert "Mustermann" not in ended.err


def test_no_home_is_made_for_arguments_that_were_not_understood(bare_home: Path) -> None:
    script = Path(sys.executable).parent / "patchbay"
    done = subprocess.run([script, "connect", "gopher://host"], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert not bare_home.exists()


def test_a_file_that_is_no_table_says_why(typed: Callable[..., Ended], file: Callable[[str, bytes], str]) -> None:
    assert_one_sentence(typed("map", file("doppelt.csv", b"id;ID\n1;2\n")), "doppelt.csv", "an earlier column")


def test_map_names_what_it_leaves_out(patchbay: Patchbay, file: Callable[[str, bytes], str], tmp_path: Path) -> None:
    file("gut.csv", "Nr;Betrag €\n1;2,50\n".encode())
    file("leer.csv", b"")
    ended = patchbay("map", tmp_path, "--json")
    assert ended.code == 0
    assert {line["source_column"] for line in ended.lines} == {"Nr", "Betrag €"}
    assert "Left out: leer.csv: it is empty." in ended.err
