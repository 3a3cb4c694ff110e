"""The advisor over real HTTP: one that can be believed orders doubtful candidates, any other changes nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from agents.advised_mapping import AdviceReport, choose_targets
from agents.advisor import Advisor, AdvisorSettings
from evals.advisors.serving import Columns, Reply, Script, serve_advisor
from mappings.schema import Candidate, Column, ColumnMapping, Correction, Evidence, Schema, Table
from mappings.suggest import suggest
from tools.store.open import open_store
from tools.store.settings import Settings

NONE = "none of these"
HOME, WORK = "Patient.phone_home", "Patient.phone_work"


def line(table: str, column: str, *targets: str, decision: str = "review", signal: str = "glossary") -> ColumnMapping:
    evidence = (Evidence(signal=signal, score=0.5, detail="Zahnmann-5550199"),)  # evidence may quote values
    candidates = [
        Candidate(target_table=entity, target_column=name, confidence=round(0.45 - at * 0.05, 2), evidence=evidence)
        for at, (entity, name) in enumerate(each.split(".") for each in targets)
    ]
    return ColumnMapping.model_validate(
        {
            "source_table": table,
            "source_column": column,
            "candidates": candidates,
            "no_match": 0.1,
            "decision": decision,
        }
    )


def decided(count: int = 4) -> list[ColumnMapping]:
    fields = ("first_name", "last_name", "birth_date", "email", "city", "title")[:count]
    return [line("PAT", name.upper(), f"Patient.{name}", HOME, decision="accept") for name in fields]


TIE = line("PAT", "TEL", HOME, WORK)
LINES = [TIE, *decided()]
NO_SAMPLES = Schema()


def knowing(choose: Callable[[str], str], **reply: Any) -> Script:
    """Right on decided columns; on others what `choose` says of the column's name."""

    def script(asked: Columns) -> Reply:
        said = {}
        for key, each in asked.items():
            own = f"Patient.{str(each['column']).lower()}"
            said[key] = {
                "option": own if own in each["options"] else choose(each["column"]),
                "reason": "TEL D = dienstlich",
            }
        return Reply(json.dumps(said), **reply)

    return script


def ask(
    url: str, lines: list[ColumnMapping], schema: Schema = NO_SAMPLES, **settings: Any
) -> tuple[list[ColumnMapping], AdviceReport]:
    advisor = Advisor(AdvisorSettings.model_validate({"url": url, "timeout_seconds": 5.0, **settings}))
    return asyncio.run(choose_targets(advisor, lines, schema))


@pytest.mark.parametrize("streams", [True, False], ids=["streamed", "whole"])
def test_a_believable_model_orders_doubtful_candidates_and_accepts_nothing(streams: bool) -> None:
    with serve_advisor(knowing(lambda _: WORK, total_tokens=7_077), streams=streams) as model:
        (first, *others), report = ask(model.url, LINES)
    assert [each.target_column for each in first.candidates] == ["phone_work", "phone_home"]
    assert (first.decision, first.no_match) == ("review", 0.1)
    assert [each.confidence for each in first.candidates] == [0.40, 0.45]
    assert first.candidates[0].evidence[-1].signal == "advisor"
    assert "TEL D = dienstlich" in first.candidates[0].evidence[-1].detail
    assert others == LINES[1:]
    assert (report.heard, report.answered, report.moved, report.agreed) == ("heard", 1, 1, 4)
    assert (report.calls, report.tokens, report.failures) == (1, 7_077, ())


def test_none_of_these_is_said_and_moves_nothing() -> None:
    with serve_advisor(knowing(lambda _: NONE)) as model:
        (first, *_), report = ask(model.url, LINES)
    assert first.candidates[0].target_column == "phone_home"
    assert first.candidates[0].evidence[-1].score == 0.0
    assert (report.heard, report.moved) == ("heard", 0)


def test_columns_go_in_batches_with_their_options_as_a_schema_and_decided_ones_unmarked_among_them() -> None:
    doubtful = [line("PAT", f"TEL{number}", HOME, WORK) for number in range(20)]
    with serve_advisor(knowing(lambda _: WORK)) as model:
        lines, report = ask(model.url, [*doubtful, *decided(6)])
    assert all(each.candidates[0].target_column == "phone_work" for each in lines[:20])
    bodies = model.bodies()
    assert report.calls == len(bodies) == 2
    assert all(each["stream"] for each in bodies)
    for body in bodies:
        asked = json.loads(body["messages"][1]["content"])
        form = body["response_format"]["json_schema"]["schema"]["properties"]
        assert len(asked["columns"]) > 3
        assert {frozenset(each) for each in asked["columns"].values()} == {
            frozenset(["table", "column", "type", "shapes", "beside", "options"])
        }
        for key, each in asked["columns"].items():
            assert form[key]["properties"]["option"]["enum"] == each["options"] == [*sorted(each["options"][:-1]), NONE]
            assert set(each["options"][:-1]) <= set(asked["fields"])


def test_a_model_that_does_not_find_what_is_known_is_not_heard() -> None:
    with serve_advisor(
        lambda asked: Reply(json.dumps({key: {"option": HOME, "reason": "!"} for key in asked}))
    ) as model:
        lines, report = ask(model.url, [line("PAT", "TEL", WORK, HOME), *decided()])
    assert lines == [line("PAT", "TEL", WORK, HOME), *decided()]
    assert (report.heard, report.answered, report.agreed) == ("refuted", 1, 0)


def test_where_too_little_is_known_to_test_it_its_word_is_shown_and_moves_nothing() -> None:
    with serve_advisor(knowing(lambda _: WORK)) as model:
        (first, *_), report = ask(model.url, [TIE, *decided(3)])
    assert [each.target_column for each in first.candidates] == ["phone_home", "phone_work"]
    assert WORK in first.candidates[0].evidence[-1].detail
    assert report.heard == "untested"


GOOD = {"option": WORK, "reason": ""}


@pytest.mark.parametrize(
    "reply",
    [
        lambda asked: Reply(json.dumps({key: {"option": "Patient.national_id", "reason": "more"} for key in asked})),
        lambda asked: Reply("Sure! I think it is the work phone."),
        lambda asked: Reply("```json\n" + json.dumps(dict.fromkeys(asked, GOOD)) + "\n```"),
        lambda asked: Reply(json.dumps({key: {**GOOD, "decision": "accept"} for key in asked})),
        lambda asked: Reply(json.dumps(dict.fromkeys(asked, WORK))),
        lambda asked: Reply("".join(f'{{"{key}": {json.dumps(GOOD)}}}' for key in asked)),
        lambda asked: Reply("[" * 50_000),
        lambda asked: Reply("x" * 1_100_000),
        lambda asked: Reply(document="<html>gateway</html>"),
        lambda asked: Reply(document="[1]"),
        lambda asked: Reply(document='{"error": {"message": "overloaded"}}', status=500),
        lambda asked: Reply(document='{"error": {"message": "slow down"}}', status=429),
        lambda asked: Reply(document='{"error": {"message": "no such model"}}', status=400),
        lambda asked: Reply(json.dumps(dict.fromkeys(asked, GOOD)), cut_after=10),
    ],
    ids=[
        "an option nobody offered", "prose", "fenced", "a field nobody asked for", "no objects", "two documents", "deep", "long",
        "a web page", "no completion", "a server fault", "too many calls", "refused", "hung up",
    ],
)  # fmt: skip
def test_an_invalid_answer_leaves_what_was_found_without_it(reply: Script) -> None:
    with serve_advisor(reply) as model:
        lines, report = ask(model.url, LINES)
    assert lines == LINES
    assert report.heard == "silent"
    assert report.failures


def test_a_redirect_is_not_followed() -> None:
    with serve_advisor(knowing(lambda _: WORK)) as other:
        away = Reply(document="", status=307, headers={"Location": f"{other.url}/chat/completions"})
        with serve_advisor(lambda asked: away) as model:
            lines, _ = ask(model.url, LINES)
    assert (lines, other.calls) == (LINES, 0)


def test_nobody_listening_changes_nothing() -> None:
    lines, report = ask("http://127.0.0.1:9/v1", LINES)
    assert lines == LINES
    assert report.failures[0] == "APIConnectionError"


def test_a_server_without_json_schemas_is_asked_again_without_one() -> None:
    with serve_advisor(knowing(lambda _: WORK), knows_schemas=False) as model:
        (first, *_), report = ask(model.url, LINES)
    assert first.candidates[0].target_column == "phone_work"
    assert [each["response_format"]["type"] for each in model.bodies()] == ["json_schema", "json_object"]
    assert report.calls == 2


def test_answers_that_were_whole_when_the_time_ran_out_count() -> None:
    """The model stalls within its last answer: all before it are taken."""
    doubtful = [line("PAT", f"TEL{number}", HOME, WORK) for number in range(6)]

    def script(asked: Columns) -> Reply:
        whole = knowing(lambda _: WORK)(asked).text
        return Reply(whole, stall_after=whole.rindex('"option"') + 20)

    with serve_advisor(script) as model:
        lines, report = ask(model.url, [*doubtful, *decided(6)], timeout_seconds=2.0)
    assert report.failures[0] == "TimeoutError"
    assert report.answered + report.decided == 9  # of ten
    assert report.heard == "heard"
    assert sum(each.candidates[0].target_column == "phone_work" for each in lines[:6]) == report.answered


def test_a_model_that_is_never_done_is_given_up_soon() -> None:
    doubtful = [line("PAT", f"TEL{number}", HOME, WORK) for number in range(60)]
    with serve_advisor(knowing(lambda _: WORK, stall_after=5)) as model:
        lines, report = ask(model.url, [*doubtful, *decided()], timeout_seconds=0.1)
    assert lines == [*doubtful, *decided()]
    assert (report.calls, report.heard) == (2, "silent")


@pytest.mark.parametrize("budget", [{"max_tokens": 4_000}, {"max_tokens": 10_000}], ids=["one call", "some calls"])
def test_a_job_uses_no_more_tokens_than_it_may(budget: dict[str, int]) -> None:
    doubtful = [line("PAT", f"TEL{number}", HOME, WORK) for number in range(120)]
    with serve_advisor(knowing(lambda _: WORK)) as model:
        _, report = ask(model.url, [*doubtful, *decided()], **budget)
    assert 0 < report.tokens <= budget["max_tokens"]
    assert 0 < report.calls < 10
    assert model.calls == report.calls


def test_a_server_that_counts_too_little_is_not_believed() -> None:
    doubtful = [line("PAT", f"TEL{number}", HOME, WORK) for number in range(120)]
    with serve_advisor(knowing(lambda _: WORK, total_tokens=1)) as model:
        _, report = ask(model.url, [*doubtful, *decided()], max_tokens=10_000)
    assert report.tokens > 1_000
    assert report.calls < 10


def test_a_server_that_counts_much_ends_the_advice() -> None:
    doubtful = [line("PAT", f"TEL{number}", HOME, WORK) for number in range(60)]
    with serve_advisor(knowing(lambda _: WORK, total_tokens=10**12)) as model:
        _, report = ask(model.url, [*doubtful, *decided()])
    assert (model.calls, report.calls) == (1, 1)


def test_what_a_person_said_is_not_asked() -> None:
    """A correction without a reading leaves a date undecided: the readings are a person's question, never a model's."""
    column = Column(name="GEBDAT", type="varchar(10)", samples=("03/04/1961", "05/06/1962", "01/02/1970"))
    source = Schema(system="s", tables=(Table(name="PAT", columns=(column,)),))
    said = Correction(system="s", source_table="PAT", source_column="GEBDAT", target="Patient.birth_date")
    (corrected,) = suggest(source, corrections=[said])
    assert corrected.decision == "review"
    with serve_advisor(knowing(lambda _: NONE)) as model:
        lines, _ = ask(model.url, [corrected, *decided()], source)
    assert lines == [corrected, *decided()]
    assert model.calls == 0


def test_of_values_only_their_shapes_leave_the_practice() -> None:
    marks = ("Zahnmann-5550199", "4711-0815-42", "geheim@praxis.example", "1961-07-23", "A123456780")
    columns = tuple(
        Column(name=name, type="text", samples=marks) for name in ("TEL", *(each.source_column for each in decided()))
    )
    source = Schema(tables=(Table(name="PAT", columns=columns), Table(name="REST", columns=columns)))
    with serve_advisor(knowing(lambda _: WORK)) as model:
        _, report = ask(model.url, LINES, source)
    sent = b"".join(model.received)
    assert report.calls == 1
    assert b"Xxxxxxxx-9999999" in sent
    assert [mark for mark in marks if mark.encode() in sent] == []
    assert [word for word in (b"5550199", b"4711", b"0815", b"praxis", b"1961", b"123456780") if word in sent] == []


def test_a_reason_is_one_printable_line() -> None:
    def script(asked: Columns) -> Reply:
        said = json.loads(knowing(lambda _: WORK)(asked).text)
        return Reply(
            json.dumps({key: {**each, "reason": "a\n\x1b[31mred\u202e" + "x" * 999} for key, each in said.items()})
        )

    with serve_advisor(script) as model:
        (first, *_), _ = ask(model.url, LINES)
    detail = first.candidates[0].evidence[-1].detail
    assert detail.isprintable()
    assert len(detail) < 400


async def test_an_answer_is_kept_by_what_was_asked_for_that_tenant_and_model_only(sqlite_settings: Settings) -> None:
    with serve_advisor(knowing(lambda _: WORK)) as model:
        at = AdvisorSettings(url=model.url)
        async with open_store(sqlite_settings) as store, open_store(sqlite_settings, tenant="another") as another:
            first, fresh = await choose_targets(Advisor(at), LINES, NO_SAMPLES, store.artifacts)
            again, kept = await choose_targets(Advisor(at), LINES, NO_SAMPLES, store.artifacts)
            assert first == again
            assert (fresh.kept, kept.kept, kept.calls, kept.heard, model.calls) == (0, 5, 0, "heard", 1)
            await choose_targets(Advisor(at), LINES, NO_SAMPLES, another.artifacts)
            assert model.calls == 2
            other_model = at.model_copy(update={"model": "another"})
            await choose_targets(Advisor(other_model), LINES, NO_SAMPLES, store.artifacts)
            assert model.calls == 3
            renamed = [line("PAT", "TEL2", HOME, WORK), *decided()]
            _, report = await choose_targets(Advisor(at), renamed, NO_SAMPLES, store.artifacts)
            assert (report.kept, model.calls) == (4, 4)
