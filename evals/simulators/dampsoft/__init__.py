"""Dampsoft DS-Win by its PostgreSQL views, on a real PostgreSQL server.

From the seed: a direct PostgreSQL database, read and write views. Assumed, since nobody published them: all names of views and
columns (they are `systems.md`'s), every code, and that dates are text `dd.mm.yyyy`, times text `HH:MM`, money, factors text with a
decimal comma. Further assumptions of ours: numbers are integers; column names are upper case (quoted in PostgreSQL); `AKTIV` is J/N;
sex is m, w, d, x; invoices have the states E Entwurf, O offen, B bezahlt, A abgelehnt, S storniert; documents the types BRIEF,
BILD, ROENTGEN, EINWILLIGUNG, BEFUND; `TERMART` is the kind of visit in words, and who sits in the chair is still W; `v_patient` has
room for one policy, so a merged patient's own is lost; `AENDDAT` is the day of the last change, by the server's clock in Europe/Berlin.

A deleted row is simply gone. So is the row of a merged patient: nothing in the views says that it was merged, or into whom; all rows
that named it name the survivor from then on and count as changed that day.

Two roles: `ds_lesen` may read the `v_` views and `ds_version`, `ds_schreiben` may read, insert into and update the `w_` views, which
assign the next number, set AENDDAT and refuse what the columns cannot hold (SQLSTATE 23514 with the column's name). Base tables lie
in a schema that neither may enter.

Options of `simulate`: `database`, the database's name.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

from evals.simulators.dampsoft.database import READER, WRITER, Database
from evals.simulators.dampsoft.face import Dampsoft
from evals.simulators.postgres_server import postgres_server
from evals.simulators.practice import Practice
from evals.simulators.stand import Stand, standing

VERSION = "9.14.2"
SETTINGS = {
    "timezone": "Europe/Berlin",
    "cluster_name": "patchbay-simulator",
    "synchronous_standby_names": "keiner",  # asked for by no session but a writing one under write.unconfirmed
}


@asynccontextmanager
async def simulate(
    *, folder: Path, port: int | None = None, seed: int = 7, patients: int = 500, database: str = "praxis"
) -> AsyncIterator[Stand]:
    """Serve one practice while the context lasts."""
    practice = Practice.seeded(seed, patients, "DE")
    async with postgres_server(folder, port, SETTINGS) as server:
        face = Dampsoft(practice, Database(server, database))
        await face.open(VERSION)
        credentials = {
            "username": READER,
            "password": face.passwords[READER],
            "write_username": WRITER,
            "write_password": face.passwords[WRITER],
        }
        address = f"postgresql://{server.host}:{server.port}/{quote(database)}"
        try:
            async with standing(
                face, version=VERSION, method="sql", address=address, folder=folder, credentials=credentials
            ) as stand:
                yield stand
        finally:
            await face.close()
