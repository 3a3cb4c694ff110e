"""What PraxiDent's stand-in writes, checked by readers that share nothing with it: python-hl7, and ten lines of GDT."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import hl7
import pytest

from evals.simulators import Stand, simulate

Line = tuple[int, str, bytes]  # LLL, field, content


def gdt_records(data: bytes) -> list[list[Line]]:
    """Every record as its lines; nothing is decoded."""
    records: list[list[Line]] = []
    for line in data.replace(b"\r\n", b"\n").split(b"\n"):
        if not line:
            continue
        assert re.match(rb"\d{7}", line), "every line begins with LLL and FFFF"
        parsed = (int(line[:3]), line[3:7].decode(), line[7:])
        if parsed[1] == "8000":
            records.append([])
        records[-1].append(parsed)
    return records


def values(record: list[Line], field: str) -> list[bytes]:
    return [content for _, name, content in record if name == field]


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    async with simulate("praxident", folder=tmp_path, patients=80, seed=5) as opened:
        yield opened


@pytest.fixture
def root(stand: Stand) -> Path:
    return Path(stand.address.removeprefix("file://"))


def folders(root: Path) -> set[str]:
    return {path.name for path in root.iterdir()}


def is_there(path: Path) -> bool:
    return path.exists()


def files(root: Path, pattern: str) -> list[Path]:
    return sorted([*(root / "archive").glob(pattern), *(root / "out").glob(pattern)])


def messages(root: Path) -> list[Any]:
    return [hl7.parse(text_of(path.read_bytes())) for path in files(root, "*.hl7")]


def text_of(data: bytes) -> str:
    return data.decode("utf-8" if b"UNICODE UTF-8" in data.split(b"\r")[0] else "latin-1")


async def ask(stand: Stand, path: str, body: object = None, verb: str | None = None) -> Any:
    data = json.dumps(body).encode() if body is not None else None
    request = Request(f"{stand.control}{path}", data=data, method=verb)
    answer = await asyncio.to_thread(lambda: urlopen(request).read())
    return json.loads(answer) if answer else None


async def test_the_folder_is_laid_out_as_the_fact_sheet_assumes(root: Path) -> None:
    assert folders(root) == {"out", "in", "archive", "error"}
    for path in files(root, "*"):
        assert re.fullmatch(r"PDNT(\d{6}\.(gdt|hl7)|PBAY\.\d{3})", path.name)
    assert len(files(root, "*.0*")) > 0


async def test_gdt_records_say_sender_version_and_kind(root: Path) -> None:
    kinds = set()
    for path in files(root, "*.gdt") + files(root, "*.[0-9][0-9][0-9]"):
        for record in gdt_records(path.read_bytes()):
            assert values(record, "8316") == [b"PRAXIDEN"]
            assert values(record, "9218") == [b"02.10"]
            assert values(record, "0132") == [b"7.2"]
            kinds |= set(values(record, "8000"))
    assert kinds == {b"6301", b"6310", b"6311"}


async def test_most_lengths_are_right_and_some_are_not(root: Path) -> None:
    right = wrong = missing = several = 0
    for path in files(root, "*.gdt"):
        records = gdt_records(path.read_bytes())
        several += len(records) > 1
        for record in records:
            size = sum(len(content) + 9 for _, _, content in record)
            said = values(record, "8100")
            missing += not said
            is_right = said == [b"%05d" % size] and all(length == len(content) + 9 for length, _, content in record)
            right += is_right
            wrong += bool(said) and not is_right
    assert right > 5 * wrong
    assert wrong
    assert missing
    assert several


async def test_declared_charsets_are_two_three_and_sometimes_false(root: Path) -> None:
    coded = {b"2": "cp437", b"3": "latin-1", b"4": "utf-8"}
    true = false = 0
    for path in files(root, "*.gdt"):
        for record in gdt_records(path.read_bytes()):
            declared = values(record, "9206")
            raw = b"".join(values(record, "3101") + values(record, "3102") + values(record, "3107"))
            if declared and not raw.isascii():
                text = raw.decode(coded[declared[0]])
                sound = all(letter.isalnum() or letter in " .-/'" for letter in text)  # no frames, no controls
                true, false = true + sound, false + (not sound)
    assert true > false > 0


async def test_python_hl7_reads_every_message(root: Path) -> None:
    kinds = set()
    for message in messages(root):
        assert message.extract_field("MSH", 1, 3) == "PRAXIDENT"
        assert message.extract_field("MSH", 1, 12) in ("2.3", "2.5")
        assert message.extract_field("MSH", 1, 18) in ("8859/1", "UNICODE UTF-8")
        kinds.add(f"{message.extract_field('MSH', 1, 9, 1, 1)}^{message.extract_field('MSH', 1, 9, 1, 2)}")
    assert kinds == {"ADT^A04", "ADT^A08", "ADT^A40", "SIU^S12", "SIU^S13", "SIU^S14", "SIU^S15"}


async def test_control_ids_are_never_given_twice(root: Path) -> None:
    ids = [message.extract_field("MSH", 1, 10) for message in messages(root)]
    assert len(set(ids)) == len(ids)


async def test_files_and_messages_tell_the_truth_to_the_independent_reader(stand: Stand, root: Path) -> None:
    truth = {row["id"]: row for row in await ask(stand, "/truth/Patient")}
    latest: dict[str, tuple[str, str]] = {}
    for message in messages(root):
        if message.extract_field("MSH", 1, 9, 1, 2) in ("A04", "A08"):
            number = message.extract_field("PID", 1, 3, 1, 1)
            at = message.extract_field("MSH", 1, 7)
            if at >= latest.get(number, ("", ""))[0]:
                family = message.unescape(message.extract_field("PID", 1, 5, 1, 1))
                latest[number] = (at, family)
    told = {number: family for number, (_, family) in latest.items() if number in truth}
    assert told
    assert {number: truth[number]["last_name"] for number in told} == told


async def test_a_merged_patient_is_a_message_and_leaves_the_truth(stand: Stand, root: Path) -> None:
    losers = {
        message.extract_field("MRG", 1, 1, 1, 1)
        for message in messages(root)
        if message.extract_field("MSH", 1, 9, 1, 2) == "A40"
    }
    assert losers
    assert losers.isdisjoint({row["id"] for row in await ask(stand, "/truth/Patient")})
    assert losers.isdisjoint({row["patient_id"] for row in await ask(stand, "/truth/Appointment")})


async def test_work_appears_in_out_and_a_deleted_visit_is_s17(stand: Stand, root: Path) -> None:
    before = {path.name for path in (root / "out").iterdir()}
    changes = (await ask(stand, "/changes", {"count": 9}))["changes"]
    new = [path for path in (root / "out").iterdir() if path.name not in before]
    assert len(new) >= len(changes)
    assert not [path for path in new if path.suffix == ".tmp"]
    deleted = {change["id"] for change in changes if change["kind"] == "deleted"}
    told = {
        message.extract_field("SCH", 1, 2, 1, 1)
        for message in messages(root)
        if message.extract_field("MSH", 1, 9, 1, 2) == "S17"
    }
    assert deleted == told


async def test_a_message_in_in_is_applied_and_echoed_with_the_senders_number(stand: Stand, root: Path) -> None:
    lines = [
        "MSH|^~\\&|SOMEBODY|X|PRAXIDENT|P|20261121070000||ADT^A04^ADT_A01|77|P|2.5||||||8859/1",
        "PID|1||abc^^^SOMEBODY||Grünwald^Käthe||19610312|F|||||^PRN^PH~0176 1234567^PRN^CP",
    ]
    (root / "in" / "x.tmp").write_bytes("\r".join([*lines, ""]).encode("latin-1"))
    (root / "in" / "x.tmp").rename(root / "in" / "x.hl7")
    for _ in range(200):
        if not (root / "in" / "x.hl7").exists():
            break
        await asyncio.sleep(0.02)
    echoes = [message for message in messages(root) if "abc" in str(message)]
    (echo,) = echoes
    number = echo.extract_field("PID", 1, 3, 1, 1)
    (row,) = [row for row in await ask(stand, "/truth/Patient") if row["id"] == number]
    assert (row["last_name"], row["phone_mobile"], row["sex"]) == ("Grünwald", "+491761234567", "female")
    assert len(await ask(stand, "/writes")) == 1


async def test_what_it_cannot_use_goes_to_its_error_folder(root: Path) -> None:
    (root / "in" / "y.hl7").write_bytes(b"hello\r")
    for _ in range(200):
        if (root / "error" / "y.hl7").exists():
            break
        await asyncio.sleep(0.02)
    assert (root / "error" / "y.hl7").exists()


async def test_faults_are_seen_in_the_folder_and_end(stand: Stand, root: Path) -> None:
    await ask(stand, "/faults", {"code": "file.share_unavailable"})
    assert not is_there(root)
    await ask(stand, "/faults", verb="DELETE")
    before = len(files(root, "*"))
    await ask(stand, "/faults", {"code": "data.mass_delete"})
    assert files(root, "*") == []
    await ask(stand, "/changes", {"count": 3})
    await ask(stand, "/faults", verb="DELETE")
    assert len(files(root, "*")) > before


async def test_a_half_file_promises_more_than_it_holds(stand: Stand, root: Path) -> None:
    before = {path.name for path in files(root, "*")}
    await ask(stand, "/faults", {"code": "data.truncated_file"})
    (half,) = [path for path in files(root, "*") if path.name not in before]
    (record,) = gdt_records(half.read_bytes())
    assert int(values(record, "8100")[0]) > len(half.read_bytes())
    await ask(stand, "/faults", verb="DELETE")
    (record,) = gdt_records(half.read_bytes())
    assert int(values(record, "8100")[0]) == len(half.read_bytes())
