"""PraxiDent stand-in: a shared folder with GDT and HL7 files in both directions.

The customers' brief names the method and nothing else, so what stands in the files is the two standards (GDT 2.1, HL7
v2.3 to 2.5) and the assumptions of the fact sheet: `out/`, `in/`, `archive/`, `error/`; names `PDNT…`; several GDT records
a file, one HL7 message a file; `.tmp` then rename. At start the practice's history stands in `archive/`, its newest part
in `out/`. Options of `simulate`: none.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from evals.simulators.practice import Practice
from evals.simulators.praxident.face import PraxidentFace
from evals.simulators.praxident.history import write_history
from evals.simulators.praxident.inbox import watch
from evals.simulators.praxident.share import VERSION, Share
from evals.simulators.stand import Stand, standing

__all__ = ["simulate"]


@asynccontextmanager
async def simulate(*, folder: Path, port: int | None, seed: int, patients: int) -> AsyncIterator[Stand]:
    """Set the folder up below `folder`, run until the context ends. A folder has no port, so `port` is not used."""
    practice = Practice.seeded(seed, patients, "DE")
    share = Share(folder / "praxident", practice)
    share.make()
    face = PraxidentFace(practice, share=share)
    await asyncio.to_thread(write_history, face)
    watching = asyncio.create_task(watch(face))
    address = f"file://{share.root.absolute()}"
    try:
        async with standing(
            face, version=VERSION, method="file", address=address, folder=folder, credentials={}
        ) as stand:
            yield stand
    finally:
        await face.end_faults()  # else a folder without rights could not be removed
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
