"""Which simulators there are. One module (or package) a system, named by its key, with a function `simulate`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules

from evals.simulators.stand import Stand

CORE = frozenset(
    [
        "catalogue",
        "control",
        "face",
        "identifiers",
        "names",
        "opening",
        "practice",
        "records",
        "seeding",
        "seeding_ledger",
        "seeding_people",
        "seeding_visits",
        "serving",
        "stand",
        "tcp_proxy",
        "work",
    ]
)


def systems() -> list[str]:
    """Keys of the systems that can be simulated, found by the modules beside this one."""
    names = [module.name for module in iter_modules([str(Path(__file__).parent)])]
    return sorted(name for name in names if name not in CORE and not name.startswith("_") and _simulates(name))


def _simulates(name: str) -> bool:
    return hasattr(import_module(f"evals.simulators.{name}"), "simulate")


@asynccontextmanager
async def simulate(
    key: str, *, folder: Path, port: int | None = None, seed: int = 7, patients: int = 500, **options: object
) -> AsyncIterator[Stand]:
    """Run the stand-in of one system while the context lasts. Raises LookupError for a key without a simulator.

    `folder` is where it may write (credentials, keys, databases); `port` is for its data address, free ones where None.
    `options` are the simulator's own (its docstring names them).
    """
    name = f"evals.simulators.{key}"
    if not key.isidentifier() or key in CORE or find_spec(name) is None or not _simulates(key):
        raise LookupError(f"There is no simulator for {key!r}; there are {', '.join(systems())}.")
    async with import_module(name).simulate(folder=folder, port=port, seed=seed, patients=patients, **options) as stand:
        yield stand
