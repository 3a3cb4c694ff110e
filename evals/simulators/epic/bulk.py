"""Group export: kicked off, polled, fetched as NDJSON. Source: systems.md 4.3; what the export holds is assumed.

One export at a time (429 for a second), 429 for who polls before the Retry-After has passed, files that are gone after a while.
`_since` is accepted and not honoured: whether the vendor does is unknown, so a client must be right without it.
"""

import json
import math
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from evals.simulators.epic.people import Resource
from evals.simulators.epic.resources import BUILDERS, organization_resource
from evals.simulators.epic.search import living
from evals.simulators.practice import Practice

# no appointments [assumed in systems.md 2.1]
HELD = (
    "Patient",
    "Practitioner",
    "PractitionerRole",
    "Location",
    "Organization",
    "Coverage",
    "ExplanationOfBenefit",
    "DocumentReference",
)
FILE_ROWS = 2000


def lines_of(practice: Practice, kind: str) -> list[bytes]:
    """All resources of a type, one line of JSON each."""
    if kind == "Organization":
        resources = [organization_resource(practice)]
    else:
        build = BUILDERS[kind][1]
        resources = [build(practice, record) for record in living(practice, kind)]
    return [json.dumps(resource, ensure_ascii=False, separators=(",", ":")).encode() for resource in resources]


@dataclass(frozen=True)
class File:
    """One output file; `kind` is the type of its lines."""

    kind: str
    lines: list[bytes]

    @property
    def body(self) -> bytes:
        return b"".join(line + b"\n" for line in self.lines)


@dataclass(eq=False)
class Job:
    """One export. Times are seconds of the exports' clock; `poll_from` is when the client may ask again."""

    id: str
    request: str
    transaction_time: str
    done_at: float
    ends_at: float
    files: list[File]
    errors: list[Resource]
    poll_from: float = 0.0


@dataclass(eq=False)
class Exports:
    """The jobs of one Group."""

    seconds: float = 0.2  # how long one takes
    life_seconds: float = 3600.0  # how long its files stay
    clock: Callable[[], float] = time.monotonic
    jobs: dict[str, Job] = field(default_factory=dict)

    def end_all(self) -> None:
        self.jobs.clear()

    def running(self) -> Job | None:
        return next((job for job in self.jobs.values() if job.done_at > self.clock()), None)

    def start(self, request: str, at: str, outputs: list[File], errors: list[Resource]) -> Job:
        """Begin a job; `outputs` are its rows as of now, one file a type, and are cut into files here."""
        now = self.clock()
        self.jobs = {name: job for name, job in self.jobs.items() if job.ends_at > now}
        files = [
            File(output.kind, output.lines[first : first + FILE_ROWS])
            for output in outputs
            for first in range(0, len(output.lines), FILE_ROWS)
        ]
        done = now + self.seconds
        job = Job(secrets.token_hex(12).upper(), request, at, done, done + self.life_seconds, files, errors)
        self.jobs[job.id] = job
        return job

    def find(self, job_id: str) -> Job | None:
        job = self.jobs.get(job_id)
        return job if job is not None and job.ends_at > self.clock() else None

    def wait(self, job: Job) -> int:
        """Whole seconds a client is told to wait, 0 when the job is done."""
        return max(1, math.ceil(job.done_at - self.clock())) if job.done_at > self.clock() else 0
