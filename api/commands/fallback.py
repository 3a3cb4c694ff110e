"""`patchbay fallback`: a second method that is read while the first does not answer."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from api.output import Output
from api.running import found, holder, run, store_for
from knowledge.errors import BadInput

if TYPE_CHECKING:
    from tools.store.models import Integration
    from tools.store.open import Store


def set_fallback(wanted: str, address: str | None, *, off: bool, as_json: bool) -> int:
    """Prove and keep the second method at `address`, or forget it."""
    output = Output(as_json)
    if (address is None) == (not off):
        raise BadInput("fallback", "wants an address or --off.", "Write `patchbay fallback INTEGRATION FOLDER`.")

    async def work() -> int:
        async with store_for(output) as store:
            integration = await found(store, wanted)
            await (_adopt(output, store, integration, address) if address else _drop(output, store, integration))
        return 0

    return run(work)


async def _adopt(output: Output, store: Store, integration: Integration, address: str) -> None:
    from tools.sync.fallback import adopt_second

    shown = await adopt_second(store, integration.id, address, holder())
    streams = {stream: asdict(compared) for stream, compared in shown.items()}
    output.line({"integration": integration.id, "fallback": address, "streams": streams})
    rows = [(stream, each.rows, each.known, each.same, each.later) for stream, each in shown.items()]
    output.table("Read while the first method does not answer", ("stream", "rows", "ours", "same", "later"), rows)


async def _drop(output: Output, store: Store, integration: Integration) -> None:
    from tools.sync.fallback import drop_second

    await drop_second(store, integration)
    output.line({"integration": integration.id, "fallback": None})
    output.text(f"{integration.id} has no second method now.")
