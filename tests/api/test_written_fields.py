"""What may be written to a practice: text that people see, and visits at times that somebody can mean."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from api.entities import form_of
from api.visit_times import unusable_times

START = "2027-03-02T15:00:00Z"


@pytest.mark.parametrize("unseen", ["\x00", "a\nb", "\x1b[31m", "\u202e", "\u200b", "\ufeff", "\ufffe"])
def test_what_nobody_sees_is_no_part_of_a_name(unseen: str) -> None:
    with pytest.raises(ValidationError) as refused:
        form_of("Patient").model_validate({"last_name": f"Zwei{unseen}fel"})
    assert [each["loc"] for each in refused.value.errors()] == [("last_name",)]


def test_a_note_may_have_lines_and_a_name_any_letter() -> None:
    form_of("Patient").model_validate({"last_name": "Müller-Đặng 山田", "notes": "a\r\nb\tc"})
    with pytest.raises(ValidationError):
        form_of("Patient").model_validate({"last_name": "Müller", "notes": "a\u202eb"})


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"start": "0001-01-01T00:00:00Z"}, ["start"]),
        ({"start": START, "end": "9999-12-31T00:00:00Z"}, ["end"]),
        ({"start": START, "end": START}, ["end"]),
        ({"start": START, "end": "2027-03-03T15:01:00Z"}, ["end"]),
        ({"start": START, "duration_minutes": 1441}, ["duration_minutes"]),
        ({"start": START, "end": "2027-03-03T15:00:00Z", "duration_minutes": 30}, []),
        ({"end": START}, []),
    ],
)
def test_a_visit_is_at_a_time_that_can_be_meant(fields: dict[str, str | int], wrong: list[str]) -> None:
    assert [each.field for each in unusable_times(fields)] == wrong
