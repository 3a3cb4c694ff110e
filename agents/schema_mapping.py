"""Schema mapping: introspect, suggest, let an advisor choose among ties, decide, ask, save, learn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime
from pydantic import TypeAdapter

from agents.advised_mapping import choose_targets
from agents.asking import answers, draft_question, pose, stored, wait_for
from agents.context import AgentContext
from agents.mapping_gaps import declared_gaps
from agents.states import Asked, Attempt, Draft, Gap, Integrated, Mapped, Request
from knowledge.catalogue import manifest_of
from knowledge.hints import field_hints, left_out_columns
from knowledge.manifest import Method
from mappings.assemble import assemble, unreadable
from mappings.readiness import missing_essentials, missing_identity
from mappings.readings import answer_options, split_answer
from mappings.records import PracticeFacts
from mappings.schema import (
    Candidate,
    ColumnMapping,
    Constant,
    Correction,
    FieldMapping,
    Hint,
    Schema,
    TableMapping,
    Transform,
)
from mappings.schema import Mapping as SavedMapping
from mappings.suggest import suggest
from tools.adapters.connection import Connection
from tools.adapters.narrowing import unasked_columns
from tools.store.models import Question
from tools.store.open import Store
from tools.sync.session import connection_of

_TRANSFORM: TypeAdapter[Transform] = TypeAdapter(Transform)
SAMPLES = 200
NOTHING = "no_match"
SKIP = "skip"


class MappingState(TypedDict, total=False):
    """Schema and suggestions lie in the store: artifact `schema`, mapping versions."""

    request: Request
    draft: Draft
    attempt: Attempt
    integrated: Integrated
    mapped: Mapped
    asked: Asked | None


async def introspect_source(state: MappingState, runtime: Runtime[AgentContext]) -> MappingState:
    """Read the schema with samples; they go to the store, sealed."""
    store, integrated = runtime.context.store, state["integrated"]
    integration = await store.integrations.get(integrated.integration_id)
    if integration is None:
        raise LookupError(integrated.integration_id)
    connection = await connection_of(store, integration)
    async with runtime.context.open_adapter(connection) as adapter:
        schema = consented_schema(await adapter.introspect(SAMPLES), connection)
    described = await store.artifacts.get(state["request"].thread_id, "docs")
    schema = merge_description(schema, Schema.model_validate(described)) if described else schema
    await store.artifacts.put(integrated.integration_id, "schema", schema.model_dump(mode="json"))
    columns = sum(len(table.columns) for table in schema.tables)
    runtime.stream_writer({"event": "step", "step": "introspect", "tables": len(schema.tables), "columns": columns,
                           "left_out": [each.model_dump() for each in schema.left_out]})  # fmt: skip
    return {}


async def suggest_mapping(state: MappingState, runtime: Runtime[AgentContext]) -> MappingState:
    """Ask the engine, then the advisor on what stays doubtful; the suggestions go to the store, and what advice cost."""
    store, integrated, draft = runtime.context.store, state["integrated"], state["draft"]
    schema = await _schema(runtime.context, integrated)
    method = manifest_of(draft.system).method(draft.method)
    facts = PracticeFacts(integrated.time_zone, integrated.country)
    learned = await store.corrections.list(draft.system, integrated.integration_id)
    suggested = suggest_for(method, schema, learned, facts)
    if runtime.context.advisor is not None:
        suggested, advice = await choose_targets(runtime.context.advisor, suggested, schema, store.artifacts)
        await store.artifacts.put(integrated.integration_id, "advice", advice.model_dump(mode="json"))
        runtime.stream_writer({"event": "step", "step": "advise", **advice.model_dump(mode="json")})
    lines = [line.model_dump(mode="json", by_alias=True) for line in suggested]
    await store.artifacts.put(integrated.integration_id, "suggestions", lines)
    return {}


def suggest_for(
    method: Method, schema: Schema, corrections: Sequence[Correction], practice: PracticeFacts
) -> list[ColumnMapping]:
    """The engine's lines for a source that a manifest describes: what it leaves out on purpose is no match.

    A person's correction goes before the manifest.
    """
    corrected = {(each.source_table, each.source_column) for each in corrections if each.practice is None}
    nowhere = left_out_columns(method) - corrected
    lines = suggest(schema, hints=hints_of(method), corrections=corrections, practice=practice)
    return [
        line.model_copy(update={"decision": "no_match"}) if (line.source_table, line.source_column) in nowhere else line
        for line in lines
    ]  # fmt: skip


async def decide_mapping(state: MappingState, runtime: Runtime[AgentContext]) -> MappingState:
    """Assemble what is accepted and what people answered; save it as a version; name what is missing."""
    store, integrated, request, draft = runtime.context.store, state["integrated"], state["request"], state["draft"]
    schema = await _schema(runtime.context, integrated)
    suggestions = await _suggestions(runtime.context, integrated)
    method = manifest_of(draft.system).method(draft.method)
    said, skipped = await _said(runtime.context, request.thread_id, suggestions)
    mapping = assemble(schema, suggestions, said, constants_of(method), keys_of(method, schema), draft.system)
    mapping = _within(mapping, request.entities)
    await store.artifacts.put(
        integrated.integration_id, "schema", _samples_within(schema, mapping, request.entities).model_dump(mode="json")
    )
    gaps = [
        Gap(table=each.table, entity=each.entity, field=each.field, why=each.why)
        for each in missing_identity(mapping, schema)
    ]
    mapping = _without(mapping, gaps)
    gaps += [
        Gap(table=each.table, entity=each.entity, field=each.field, why=each.why)
        for each in missing_essentials(mapping, schema)
    ]
    gaps += declared_gaps(method, schema, request.entities)
    await begin_anew(store, integrated.integration_id, mapping)
    version = await store.mappings.save(integrated.integration_id, mapping, suggestions)
    asked = [line for line in suggestions if _concerns(line, request.entities)]
    lost = tuple(f"{column} as {target}" for column, target in unreadable(schema, asked, said))
    mapped = _in_numbers(mapping, asked, said, gaps, version).model_copy(
        update={"skipped": skipped, "unreadable": lost}
    )
    runtime.stream_writer({"event": "step", "step": "map", "accept": mapped.accept, "review": mapped.review,
                           "no_match": mapped.no_match, "review_columns": list(mapped.review_columns),
                           "unreadable": list(lost), "outside": len(suggestions) - len(asked),
                           "not_read": sorted({table.name for table in schema.tables} - set(mapped.streams)),
                           "missing": [f"{gap.table}: {gap.entity}.{gap.field}: {gap.why}" for gap in gaps]})  # fmt: skip
    return {"mapped": mapped, "asked": None}


async def begin_anew(store: Store, integration_id: str, mapping: SavedMapping) -> None:
    """Let streams that were read by another mapping start from their first row: the rows they passed mean more now.

    Comes before the mapping is saved, so that a crash in between repeats it.
    """
    before = await store.mappings.latest(integration_id) or SavedMapping()
    read = {state.stream for state in await store.streams.list(integration_id) if state.cursor is not None}
    for table in mapping.tables:
        if table.table in read and not table.makes_the_same_as(before.table(table.table)):
            await store.streams.update(integration_id, table.table, cursor=None)


def route_mapping(state: MappingState) -> Literal["pose_columns", "__end__"]:
    """With `--yes` nobody is asked here; else every doubtful column is a question before anything is read."""
    waiting = state["mapped"].unasked
    return "pose_columns" if waiting and not state["request"].accept_only else "__end__"


async def pose_columns(state: MappingState, runtime: Runtime[AgentContext]) -> MappingState:
    """One question for every column in review, with its candidates as options."""
    suggestions = await _suggestions(runtime.context, state["integrated"])
    questions = column_questions(state["request"].thread_id, suggestions, set(state["mapped"].unasked))
    return {"asked": await pose(runtime.context, "schema_mapping", questions)}


def await_columns(state: MappingState) -> MappingState:
    """Pause for a person and do nothing else."""
    asked = state.get("asked")
    if asked is not None:
        wait_for(asked)
    return {}


async def learn_answers(state: MappingState, runtime: Runtime[AgentContext]) -> MappingState:
    """What a person said of a column is a correction: other practices of the same system gain from it, names only."""
    asked, draft, integrated = state.get("asked"), state["draft"], state["integrated"]
    candidates = _candidates(await _suggestions(runtime.context, integrated)) if asked else {}
    for question, answer in (await answers(runtime.context, asked)).values() if asked else ():
        table, _, column = str(question.context["subject"]).rpartition(".")
        if answer != SKIP:
            target, transform = split_answer(answer, candidates.get((table, column), ()))
            correction = Correction(
                system=draft.system, source_table=table, source_column=column,
                target=None if answer == NOTHING else target, transform=transform,
            )  # fmt: skip
            await runtime.context.store.corrections.add(
                draft.system, correction, integration_id=integrated.integration_id
            )
    return {}


def column_questions(thread_id: str, suggestions: list[ColumnMapping], columns: set[str]) -> list[Question]:
    """Questions for columns named `table.column`: options are the candidates, `no_match` and `skip`."""
    questions = []
    for line in suggestions:
        subject = f"{line.source_table}.{line.source_column}"
        if subject in columns:
            options = [*answer_options(line.candidates), NOTHING, SKIP]
            questions.append(draft_question(thread_id, "map_column", subject, options=options))
    return questions


def hints_of(method: Method) -> list[Hint]:
    """The manifest's hints in the engine's words."""
    return [
        Hint(table=hint.stream, column=hint.column, target=hint.target,
             transform=_TRANSFORM.validate_python(hint.transform) if hint.transform else None)
        for hint in field_hints(method)
    ]  # fmt: skip


def constants_of(method: Method) -> list[FieldMapping]:
    """The manifest's constants as pairs without a column."""
    pairs = []
    for name, stream in method.streams.items():
        for target, value in stream.constants.items():
            entity, _, field = target.partition(".")
            entity, _, instance = entity.partition("#")
            pairs.append(FieldMapping(table=name, column=None, entity=entity, field=field, instance=int(instance or 1),
                                      transform=Constant(value=value), origin="constant"))  # fmt: skip
    return pairs


def keys_of(method: Method, schema: Schema) -> dict[str, tuple[str, ...]]:
    """What identifies a row of each table: the manifest's word, else the catalogue's primary key."""
    keys = {name: stream.key for name, stream in method.streams.items()}
    for table in schema.tables:
        primary = tuple(column.name for column in table.columns if column.primary_key)
        if table.name not in keys and primary:
            keys[table.name] = primary
    return keys


def merge_description(schema: Schema, described: Schema) -> Schema:
    """A person's description of a source laid onto what was introspected: words are added, nothing is replaced."""
    known = {
        (table.name.casefold(), column.name.casefold()): column
        for table in described.tables
        for column in table.columns
    }
    tables = {table.name.casefold(): table for table in described.tables}

    merged = []
    for table in schema.tables:
        columns = []
        for column in table.columns:
            words = known.get((table.name.casefold(), column.name.casefold()))
            if words is not None:
                column = column.model_copy(update={
                    "description": column.description or words.description, "type": column.type or words.type,
                    "primary_key": column.primary_key or words.primary_key,
                    "references": column.references or words.references,
                })  # fmt: skip
            columns.append(column)
        told = tables.get(table.name.casefold())
        description = table.description or (told.description if told else None)
        merged.append(table.model_copy(update={"columns": tuple(columns), "description": description}))
    return schema.model_copy(update={"tables": tuple(merged)})


def consented_schema(schema: Schema, connection: Connection) -> Schema:
    """The schema without the columns that a wire shows and nobody asked for."""
    tables = []
    for table in schema.tables:
        unasked = unasked_columns(connection, table.name)
        columns = tuple(column for column in table.columns if column.name not in unasked)
        tables.append(table.model_copy(update={"columns": columns}))
    return schema.model_copy(update={"tables": tuple(tables)})


async def _schema(context: AgentContext, integrated: Integrated) -> Schema:
    return Schema.model_validate(await context.store.artifacts.get(integrated.integration_id, "schema"))


async def _suggestions(context: AgentContext, integrated: Integrated) -> list[ColumnMapping]:
    lines = await context.store.artifacts.get(integrated.integration_id, "suggestions") or []
    return [ColumnMapping.model_validate(line) for line in lines]


def _candidates(suggestions: Sequence[ColumnMapping]) -> dict[tuple[str, str], tuple[Candidate, ...]]:
    """What was shown of each column: a reading is chosen by its name."""
    return {(line.source_table, line.source_column): line.candidates for line in suggestions}


async def _said(
    context: AgentContext, thread_id: str, suggestions: list[ColumnMapping]
) -> tuple[dict[tuple[str, str], Hint | None], tuple[str, ...]]:
    """What people answered for this thread: column → its target, None for "nothing"; and the columns they skipped."""
    said: dict[tuple[str, str], Hint | None] = {}
    skipped: list[str] = []
    columns = {f"{line.source_table}.{line.source_column}" for line in suggestions if line.decision == "review"}
    candidates = _candidates(suggestions)
    for question in column_questions(thread_id, suggestions, columns):
        asked = await stored(context, question.id)
        if asked is None or asked.status != "answered" or asked.answer is None:
            continue
        subject = str(question.context["subject"])
        table, _, column = subject.rpartition(".")
        answer = str(asked.answer)
        if answer == SKIP:
            skipped.append(subject)
            continue
        target, transform = split_answer(answer, candidates.get((table, column), ()))
        said[table, column] = (
            None
            if answer == NOTHING
            else Hint(table=table, column=column, target=target, transform=transform, source="person")
        )
    return said, tuple(skipped)


def _within(mapping: SavedMapping, entities: tuple[str, ...]) -> SavedMapping:
    """Only what was asked for: nothing outside `--entities` is read or stored."""
    if not entities:
        return mapping
    return _filtered(mapping, lambda pair: pair.entity in entities)


def _concerns(line: ColumnMapping, entities: tuple[str, ...]) -> bool:
    """Whether a column may belong to what was asked for: only about these a person is asked.

    By the likeliest candidate, which is not always the first: an advisor may order them and keeps no question from a person.
    """
    likeliest = max(line.candidates, key=lambda each: each.confidence, default=None)
    return not entities or (likeliest is not None and likeliest.target_table in entities)


def _samples_within(schema: Schema, mapping: SavedMapping, entities: tuple[str, ...]) -> Schema:
    """The schema without the values of tables that were only looked at to find out what they hold."""
    if not entities:
        return schema
    read = {table.table for table in mapping.tables}
    tables = [
        table if table.name in read
        else table.model_copy(update={"columns": tuple(each.model_copy(update={"samples": ()}) for each in table.columns)})
        for table in schema.tables
    ]  # fmt: skip
    return schema.model_copy(update={"tables": tuple(tables)})


def _without(mapping: SavedMapping, gaps: list[Gap]) -> SavedMapping:
    """Entities that lack their identity are not synced; the others are."""
    broken = {(gap.table, gap.entity) for gap in gaps}
    return _filtered(mapping, lambda pair: (pair.table, pair.entity) not in broken)


def _filtered(mapping: SavedMapping, keep: Callable[[FieldMapping], bool]) -> SavedMapping:
    tables = []
    for table in mapping.tables:
        fields = tuple(pair for pair in table.fields if keep(pair))
        if any(pair.origin != "constant" for pair in fields):
            tables.append(TableMapping(table=table.table, key=table.key, fields=fields))
    return mapping.model_copy(update={"tables": tuple(tables)})


def _in_numbers(
    mapping: SavedMapping,
    suggestions: list[ColumnMapping],
    said: Mapping[tuple[str, str], Hint | None],
    gaps: list[Gap],
    version: int,
) -> Mapped:
    waiting = [
        f"{line.source_table}.{line.source_column}" for line in suggestions
        if line.decision == "review" and (line.source_table, line.source_column) not in said
    ]  # fmt: skip
    accepted = {(pair.table, pair.column) for table in mapping.tables for pair in table.fields if pair.column}
    return Mapped(
        version=version, accept=len(accepted), review=len(waiting),
        no_match=sum(_holds_nothing(line, said) for line in suggestions),
        review_columns=tuple(waiting), gaps=tuple(gaps), streams=tuple(table.table for table in mapping.tables),
        entities=tuple(sorted({pair.entity for table in mapping.tables for pair in table.fields})),
    )  # fmt: skip


def _holds_nothing(line: ColumnMapping, said: Mapping[tuple[str, str], Hint | None]) -> bool:
    at = (line.source_table, line.source_column)
    return said[at] is None if at in said else line.decision == "no_match"


def schema_mapping_graph() -> StateGraph[MappingState, AgentContext]:
    """introspect → suggest → decide → (ask → learn → decide) → done."""
    graph = StateGraph(MappingState, context_schema=AgentContext)
    graph.add_node("introspect_source", introspect_source)
    graph.add_node("suggest_mapping", suggest_mapping)
    graph.add_node("decide_mapping", decide_mapping)
    graph.add_node("pose_columns", pose_columns)
    graph.add_node("await_columns", await_columns)
    graph.add_node("learn_answers", learn_answers)
    graph.add_edge(START, "introspect_source")
    graph.add_edge("introspect_source", "suggest_mapping")
    graph.add_edge("suggest_mapping", "decide_mapping")
    graph.add_conditional_edges("decide_mapping", route_mapping)
    graph.add_edge("pose_columns", "await_columns")
    graph.add_edge("await_columns", "learn_answers")
    graph.add_edge("learn_answers", "decide_mapping")
    return graph
