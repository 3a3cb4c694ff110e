"""`python -m evals.benchmarks`: every benchmark, each measurement in a process of its own, the best of several.

`--rows N` rows a measurement, `--repeat N`, `--only storing|memory|serving|matching|profile`, `--postgres URL` of a server where databases
may be made. Prints one JSON document a line; lines of text go to standard error.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import os
import pstats
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from uuid import uuid4

from evals.benchmarks import bare, ours
from evals.benchmarks.people import Stopwatch
from tools.process import collect_seldom

KINDS = ("storing", "memory", "serving", "matching", "profile")
SMALL, LARGE = 5_000, 150_000  # rows: 10 and 300 thousand records


def main() -> None:
    asked = _arguments()
    if asked.one:
        print(json.dumps(_one(asked.one, asked.rows, asked.postgres)))
        return
    kinds = [asked.only] if asked.only else list(KINDS)
    if "storing" in kinds:
        _storing(asked)
    if "memory" in kinds:
        for rows in (SMALL, LARGE):
            _say(_run("sqlite-sealed", rows, None) | {"kind": "memory"})
            _say(_run("sqlite-traced", min(rows, SMALL * 4), None) | {"kind": "memory"})
    if "serving" in kinds:
        _serving(asked.rows)
    if "matching" in kinds:
        _say(_run("matching", 0, None) | {"kind": "matching"})
    if "profile" in kinds:
        _profile(asked.rows)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m evals.benchmarks", description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", choices=KINDS)
    parser.add_argument("--postgres", metavar="URL")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    return parser.parse_args()


def _storing(asked: argparse.Namespace) -> None:
    """Each of ours beside the bare road, and the ratio of the best."""
    pairs = [("map-ours", "map-bare"), ("sqlite-sealed", "sqlite-bare"), ("sqlite-clear", "sqlite-bare")]
    if asked.postgres:
        pairs += [("postgresql-sealed", "postgresql-bare"), ("postgresql-clear", "postgresql-bare")]
    best: dict[str, dict[str, float]] = {}
    for _ in range(asked.repeat):
        for name in dict.fromkeys(each for pair in pairs for each in pair):
            told = _run(name, asked.rows, asked.postgres)
            rates = {by: 2 * asked.rows / float(str(told[f"{by}_seconds"])) for by in ("wall", "cpu")}
            best[name] = {by: max(rate, best.get(name, {}).get(by, 0.0)) for by, rate in rates.items()}
    for mine, other in pairs:
        _say(
            {"kind": "storing", "what": mine, "records_per_second": round(best[mine]["wall"]),
             "records_per_cpu_second": round(best[mine]["cpu"]), "beside": other,
             "bare_per_second": round(best[other]["wall"]), "bare_per_cpu_second": round(best[other]["cpu"]),
             "times_the_work": round(best[other]["cpu"] / best[mine]["cpu"], 2)}
        )  # fmt: skip


def _serving(requests: int) -> None:
    from evals.benchmarks import serving

    for what, loads in asyncio.run(serving.measure(min(requests, 4000), 10 * requests)).items():
        for each in loads:
            _say({"kind": "serving", "what": what, **asdict(each), "load_average": round(os.getloadavg()[0], 1)})


def _profile(rows: int) -> None:
    """Where the time of a sealed store on SQLite goes, by function, without what it calls."""
    with tempfile.TemporaryDirectory() as folder:
        profile = cProfile.Profile()
        settings = ours.settings_for(Path(folder) / "home", None)
        profile.runcall(ours.run_store, settings, rows, sealed=True)
    found = pstats.Stats(profile, stream=sys.stderr)
    found.sort_stats("tottime").print_stats(25)


def _run(name: str, rows: int, postgres: str | None) -> dict[str, object]:
    """One measurement in a process of its own, so that none warms or fattens another."""
    more = ["--postgres", postgres] if postgres else []
    command = [sys.executable, "-m", "evals.benchmarks", "--one", name, "--rows", str(rows), *more]
    # one core is what is measured: more threads of the matrix library would only wait for each other, and count as computing
    alone = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=alone)
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stderr[-2000:]}")
    told: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    print(f"{name} {rows} rows: {told}", file=sys.stderr)
    return told


def _one(name: str, rows: int, postgres: str | None) -> dict[str, object]:
    where, _, how = name.partition("-")
    collect_seldom()  # as a service and its workers do
    if name == "matching":
        from evals.benchmarks import matching

        return {"what": name, **asdict(matching.measure())}
    if name == "map-bare":
        return _bare(name, rows, bare.map_rows(rows))
    if name == "map-ours":
        return _told(name, rows, ours.map_rows(rows))
    with tempfile.TemporaryDirectory() as folder, _database(postgres if where == "postgresql" else None) as url:
        home = Path(folder) / "home"
        if how == "bare":
            watch = bare.store_postgresql(url, rows) if url else bare.store_sqlite(Path(folder) / "bare.db", rows)
            return _bare(name, rows, watch)
        settings = ours.settings_for(home, url)
        return _told(name, rows, ours.run_store(settings, rows, sealed=how != "clear", traced=how == "traced"))


def _told(name: str, rows: int, measured: ours.Measured) -> dict[str, object]:
    return {"what": name, "rows": rows, **asdict(measured)}


def _bare(name: str, rows: int, watch: Stopwatch) -> dict[str, object]:
    return {"what": name, "rows": rows, "wall_seconds": watch.wall, "cpu_seconds": watch.cpu}


@contextmanager
def _database(server: str | None) -> Iterator[str | None]:
    """A database of this measurement's own on the server."""
    if server is None:
        yield None
        return
    import psycopg
    from psycopg import sql

    name = f"patchbay_bench_{uuid4().hex[:10]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        yield f"{server.rpartition('/')[0]}/{name}"
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _say(told: dict[str, object]) -> None:
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
