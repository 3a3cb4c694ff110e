"""What lists say of the codes that are asked for: the tenant's catalogues, and the practice's own list of what it charges."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from knowledge.catalogue import catalogue
from knowledge.errors import BadInput
from mappings.billing import Asked, Direction, Listing, Lists, MappedCode, candidates_of, codes_meant, map_codes
from mappings.code_forms import Validity
from mappings.code_recognition import Habits
from tools.code_catalogues import catalogue_listings
from tools.store.models import Integration, StoredRecord
from tools.store.open import Store

_ENTITY = "TreatmentCode"


async def map_billing_codes(
    store: Store, system: str, asked: Sequence[Asked], direction: Direction, on: date, integration: Integration | None
) -> list[MappedCode]:
    """Map codes of a system by the catalogues of that day, and by what the integration's practice lists where one is named.

    Raises `BadInput` for an unknown system.
    """
    manifest = catalogue().get(system)
    if manifest is None:
        raise BadInput("system", f"there is no system {system!r}.", "`patchbay systems` lists them.")
    if integration is not None and integration.system != system:
        raise BadInput("integration_id", f"{integration.id} is no integration of {system}.", "Name one that is.")
    habits = Habits.of(manifest.billing_codes, manifest.countries)
    meant = {name for each in asked for name in codes_meant(each, habits)}
    listings, complete = await catalogue_listings(store, meant, on)
    if integration is not None:
        listings += await _of_the_practice(store, integration, asked, habits)
    return map_codes(asked, direction, habits, on, Lists(tuple(listings), complete))


async def _of_the_practice(
    store: Store, integration: Integration, asked: Sequence[Asked], habits: Habits
) -> list[Listing]:
    """The practice's own codes among those asked for, read as its system writes them."""
    texts = {each.code.strip() for each in asked}
    texts |= {candidate.reading.code for each in asked for candidate in candidates_of(each, habits)}
    found: list[Listing] = []
    async for record in store.records.all(integration.id, _ENTITY):
        if record.fields.get("code") in texts:
            found += _listed(record, habits)
    return found


def _listed(record: StoredRecord, habits: Habits) -> list[Listing]:
    named = record.fields.get("code_system")
    candidates = candidates_of(Asked(str(record.fields["code"]), str(named) if named else None), habits)
    if not candidates:
        return []
    text = record.fields.get("description")
    system, code = candidates[0].identity
    return [Listing(system, code, "practice", str(text) if text else None, _validity(record))]


def _validity(record: StoredRecord) -> Validity:
    begins, ends = (_day(record.fields.get(name)) for name in ("valid_from", "valid_to"))
    return Validity(begins, ends)


def _day(value: object) -> date | None:
    text = str(value or "")
    return date.fromisoformat(text) if len(text) == 10 else None
