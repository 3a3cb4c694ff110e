"""A file of corrections as `patchbay correct` takes it: JSON lines, or the CSV that `patchbay questions --export` wrote."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from api.answering import NOTHING, SKIP, is_canonical
from knowledge.errors import BadInput
from mappings.compiled import check_correction
from mappings.readings import split_answer
from mappings.schema import Correction, Transform
from tools.text_file import parse_json, read_text_file

_TRANSFORM: TypeAdapter[Transform] = TypeAdapter(Transform)
NAMES = ("system", "source_table", "source_column")
MOST_LETTERS = 500  # of a name
MOST_LETTERS_IN_A_CELL = 100_000
FORM = '{"system", "source_table", "source_column", "corrected": {"target_table", "target_column"} or null}'


@dataclass(frozen=True)
class CorrectionRow:
    """One line: the correction (None: leave that column alone), and the question it answers where it names one."""

    place: str
    correction: Correction | None
    said: str  # target, and the reading where one was named
    thread: str | None
    question: str | None

    @property
    def answer(self) -> str:
        """The same as an answer to its question."""
        return SKIP if self.correction is None else self.said or NOTHING


def read_corrections(file: str) -> list[CorrectionRow]:
    """The corrections of a file; an unanswered line of an export is passed over. Raises `BadInput` naming file and line."""
    text = read_text_file(file, file, "Name a UTF-8 CSV or JSON-lines file.")
    read = _json_lines if text.lstrip().startswith(("{", "[")) else _csv_lines
    rows = [_row(file, number, raw) for number, raw in read(file, text)]
    if not rows:
        raise BadInput(file, "holds no correction.", "Fill target_table and target_column in, or write no_match.")
    return rows


def _json_lines(file: str, text: str) -> list[tuple[int, Mapping[str, object]]]:
    found: list[tuple[int, Mapping[str, object]]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        place = f"{file}, line {number}"
        raw = parse_json(file, line, f"One JSON object a line: {FORM}.", first_line=number)
        if not isinstance(raw, dict):
            raise BadInput(place, "is no JSON object.", f"One JSON object a line: {FORM}.")
        if "corrected" not in raw:
            raise BadInput(
                place, "says not what is right.", 'Add "corrected": {"target_table", "target_column"} or null.'
            )
        found.append((number, raw))
    return found


def _csv_lines(file: str, text: str) -> list[tuple[int, Mapping[str, object]]]:
    heading = text.partition("\n")[0]
    reader = csv.DictReader(io.StringIO(text), delimiter=max(",;\t", key=heading.count))
    try:
        lines = [(reader.line_num, row) for row in reader]
        missing = [name for name in (*NAMES, "target_table", "target_column") if name not in (reader.fieldnames or ())]
    except csv.Error as error:
        raise BadInput(f"{file}, line {reader.line_num}", f"is no CSV ({error}).", "Save it as CSV again.") from None
    for number, row in lines:
        if any(len(cell or "") > MOST_LETTERS_IN_A_CELL for cell in row.values() if not isinstance(cell, list)):
            raise BadInput(f"{file}, line {number}", "is no CSV (a quote is never closed?).", "Save it as CSV again.")
    if missing:
        raise BadInput(
            f"{file}, line 1", f"lacks the column {missing[0]}.", "`patchbay questions --export` writes the form."
        )
    return [(number, {**row, "corrected": corrected}) for number, row in lines if (corrected := _said(row)) != ""]


def _said(row: Mapping[str, str | None]) -> object:
    """What a line of the form says: a target, None for nothing, `skip`, "" where nobody filled it in."""
    table, column = (row.get("target_table") or "").strip(), (row.get("target_column") or "").strip()
    if not table and not column:
        return ""
    if SKIP in {table, column}:
        return SKIP
    return None if NOTHING in {table, column} else {"target_table": table, "target_column": column}


def _row(file: str, number: int, raw: Mapping[str, object]) -> CorrectionRow:
    place = f"{file}, line {number}"
    for name in NAMES:
        value = raw.get(name)
        if not isinstance(value, str) or not value.strip():
            raise BadInput(place, f"lacks {name}.", "Name system, source_table and source_column.")
        if len(value) > MOST_LETTERS or not value.isprintable():
            raise BadInput(f"{place}, {name}", "is too long or holds control characters.", "Copy the name again.")
    thread, question = (str(raw[name]) if raw.get(name) else None for name in ("thread", "question"))
    corrected = raw["corrected"]
    if corrected == SKIP:
        return CorrectionRow(place, None, "", thread, question)
    said = _said_target(place, corrected)
    target, reading = split_answer(said) if said else (None, None)
    correction = Correction(
        system=str(raw["system"]), source_table=str(raw["source_table"]), source_column=str(raw["source_column"]),
        target=target, transform=_transform(file, number, raw.get("transform")) or reading,
    )  # fmt: skip
    try:
        check_correction(correction)
    except BadInput as error:
        raise BadInput(f"{place}, transform", error.problem, error.remedy) from None
    return CorrectionRow(place, correction, said or "", thread, question)


def _said_target(place: str, corrected: object) -> str | None:
    """`Entity.field`, or `Entity.field as READING`; None where a person said "nothing"."""
    if corrected is None:
        return None
    if not isinstance(corrected, dict):
        raise BadInput(place, "`corrected` is no object.", 'Write {"target_table": …, "target_column": …} or null.')
    target = f"{corrected.get('target_table')}.{corrected.get('target_column')}"
    if not is_canonical(split_answer(target)[0]):
        raise BadInput(place, f"{target!r} is no canonical field.", "`patchbay map` shows how they are called.")
    return target


def _transform(file: str, number: int, raw: object) -> Transform | None:
    if not raw:
        return None
    form = 'Write the transform like {"kind": "date", "from": "%d.%m.%Y"}.'
    try:
        return _TRANSFORM.validate_python(
            parse_json(file, raw, form, first_line=number) if isinstance(raw, str) else raw
        )
    except ValidationError as error:
        raise BadInput(f"{file}, line {number}, transform", f"{error.errors()[0]['msg']}.", form) from None
