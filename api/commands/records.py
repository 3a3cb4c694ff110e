"""`patchbay records` and `patchbay dead-letters`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.output import Output
from api.running import found, holder, run, run_at_home, store_for
from knowledge.canonical import EXTRA, CanonicalEntity, CanonicalField, canonical_model, kept_column
from knowledge.errors import BadInput
from mappings.mask import masked
from mappings.records import EXTRA_PREFIX, JsonValue, with_extra

if TYPE_CHECKING:
    from tools.store.models import StoredRecord
    from tools.store.open import Store

BATCH = 1000
SHOWN = 50
HIDDEN = "***"


def show_records(wanted: str, entity: str, *, reveal: bool, as_json: bool) -> int:
    """One line a record in canonical fields; direct identifiers and health data are masked unless revealed."""
    output = Output(as_json)
    model = canonical_model().entities.get(entity)
    if model is None:
        raise BadInput(
            "ENTITY", f"there is no entity {entity!r}.", f"Choose from {', '.join(canonical_model().entities)}."
        )

    async def work() -> int:
        from tools.store.audit import REVEALED

        async with store_for(output) as store:
            integration = await found(store, wanted)
            if reveal:
                await store.audit.record(REVEALED, integration.id, "cli", {"entity": entity})
            after: str | None = None
            shown: list[dict[str, object]] = []
            total = 0
            while batch := await store.records.list(integration.id, entity, after=after, limit=BATCH):
                for record in batch:
                    fields = _fields(record, model, reveal)
                    output.line(fields)
                    if len(shown) < SHOWN:
                        shown.append(fields)
                total, after = total + len(batch), batch[-1].id
            _show(output, model, shown, total)
        return 0

    return run_at_home(work)


def _fields(record: StoredRecord, model: CanonicalEntity, reveal: bool) -> dict[str, object]:
    if reveal:
        return with_extra(record.fields)
    return with_extra({name: _shown(name, value, model) for name, value in record.fields.items()})


def _shown(name: str, value: JsonValue, model: CanonicalEntity) -> JsonValue:
    field = kept_column(model.name) if name.startswith(EXTRA_PREFIX) else model.fields[name]
    return _masked(value, field) if field.phi == 2 else value


def _masked(value: object, field: CanonicalField) -> str | None:
    """The shape of a value; of one out of a few words nothing at all, since its length would tell which."""
    closed = field.type in {"code", "boolean"} and value is not None
    return HIDDEN if closed else masked(value)


def _show(output: Output, model: CanonicalEntity, shown: list[dict[str, object]], total: int) -> None:
    """As many of the model's first fields as fit on the screen, of the first records."""
    if not shown:
        output.text(f"No {model.name} records.")
        return
    filled = [name for name in (*model.fields, EXTRA) if any(row.get(name) is not None for row in shown)]
    columns = output.fitting(filled, shown)
    output.table(f"{model.name}: {total}", columns, [[row.get(name) for name in columns] for row in shown])
    if total > len(shown):
        output.text(f"The first {len(shown)} of {total}; --json prints all, with every field.")


def show_dead_letters(wanted: str, *, replay: bool, as_json: bool) -> int:
    """What could not be processed, and why; `replay` tries it again with the mapping in force."""
    output = Output(as_json)

    async def work() -> int:
        async with store_for(output) as store:
            integration = await found(store, wanted)
            if replay:
                await _replay(output, store, integration.id)
            letters = await store.dead_letters.list(integration.id)
            for letter in letters:
                output.line(letter.model_dump(mode="json", exclude={"raw"}))
            rows = [(each.id, each.stream, each.origin, each.code, each.reason, each.attempts) for each in letters]
            output.table("Dead letters" if rows else "No dead letters.",
                         ("id", "stream", "where", "code", "reason", "attempts"), rows)  # fmt: skip
        return 0

    return run(work) if replay else run_at_home(work)


async def _replay(output: Output, store: Store, integration_id: str) -> None:
    from tools.sync.replay import replay_dead_letters

    done = await replay_dead_letters(store, integration_id, holder())
    output.say(f"{done} of them went through.")
