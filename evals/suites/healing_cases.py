"""What integrations suffer, injected for real, with the cause that must be named and what may be done about it.

Each case has its look-alikes beside it: `family` groups what is easily taken for each other (faults.md, section 2).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from evals.suites.ward import Patient
from tools.errors import TimedOut
from tools.sync.anomalies import FEWEST

Inject = Callable[[Patient], Awaitable[None]]
SLOW_SECONDS = 0.4  # of every packet, each way
PAGE_SECONDS, ROW_SECONDS = 1.2, 0.04  # how long we wait for a page, what a row takes
SHORT_SECONDS = 1.0  # how long we wait for a server that says nothing


@dataclass(frozen=True)
class Case:
    """`ends` is the status that the healing must report; `risk` the class of what may be done (faults.md)."""

    name: str
    system: str
    inject: Inject
    root_cause: str
    risk: Literal["safe", "guarded", "human"]
    ends: Literal["healed", "waiting", "guided"]
    family: str
    proxied: bool = False
    own: bool = False
    rounds: int = 1
    returns: Inject | None = None  # the same cause once more, while its remedy is still followed


def suffers(code: str, **parameters: object) -> Inject:
    """A fault of the simulator."""

    async def inject(patient: Patient) -> None:
        await patient.suffer(code, **parameters)

    return inject


async def is_stopped(patient: Patient) -> None:
    """Nothing listens any more."""
    assert patient.proxy is not None
    await patient.proxy.refuse()


async def falls_silent(patient: Patient) -> None:
    """Connections are taken, and nobody ever speaks."""
    assert patient.proxy is not None
    await patient.set(timeout_seconds=SHORT_SECONDS)
    patient.proxy.black_hole = True
    patient.proxy.hang_up()


async def breaks_off(patient: Patient) -> None:
    """Every connection is reset."""
    assert patient.proxy is not None
    patient.proxy.reset = True
    patient.proxy.hang_up()


async def grows_slow(patient: Patient) -> None:
    """A history of usual runs, then a line on which every packet takes its time."""
    assert patient.proxy is not None
    for _ in range(FEWEST + 1):
        await patient.sync()
    patient.proxy.latency_seconds = SLOW_SECONDS


async def answers_slowly(patient: Patient) -> None:
    """A history of usual runs, then a server that thinks long about every call."""
    for _ in range(FEWEST + 1):
        await patient.sync()
    await patient.suffer("upstream.slow", seconds=2 * SLOW_SECONDS)


async def is_too_slow(patient: Patient) -> None:
    """As `grows_slow`, and slower than we are ready to wait: runs fail by time-outs."""
    assert patient.proxy is not None
    for _ in range(FEWEST + 1):
        await patient.sync()
    await patient.set(timeout_seconds=SHORT_SECONDS)
    patient.proxy.latency_seconds = SHORT_SECONDS * 1.5


async def is_slow_by_the_row(patient: Patient) -> None:
    """Much has changed, and a page of it takes longer than we wait, while a single row comes at once."""
    await patient.set(timeout_seconds=PAGE_SECONDS)
    await patient.work(150, ordinary=True)
    await patient.suffer("upstream.slow", row_seconds=ROW_SECONDS)


CASES = (
    # -- who we are -----------------------------------------------------------------------------------------------------
    Case("token ended early", "epic", suffers("auth.token_expired", calls=2), "auth.token_expired", "safe", "healed", "401"),
    *[
        Case("login rejected", system, suffers("auth.credentials_rejected"), "auth.credentials_rejected", "human", "guided",
             "401")
        for system in ("dentrix", "dampsoft", "dental_suite", "epic")
    ],
    Case("scope forbidden", "dentrix", suffers("auth.forbidden", resource="appointments"), "auth.forbidden", "human",
         "guided", "403"),
    Case("scope forbidden", "dampsoft", suffers("auth.forbidden", view="v_termin"), "auth.forbidden", "human", "guided", "403"),
    Case("scope forbidden", "epic", suffers("auth.forbidden", resource="Coverage"), "auth.forbidden", "human", "guided", "403"),
    Case("scope forbidden", "dental_suite", suffers("auth.forbidden", resource="staff"), "auth.forbidden", "human", "guided",
         "403"),
    Case("answers with nothing", "dentrix", suffers("data.silent_zero", resource="patients"), "data.silent_zero", "human",
         "guided", "403", rounds=2),
    Case("answers with nothing", "dampsoft", suffers("data.silent_zero", view="v_patient"), "data.silent_zero", "human",
         "guided", "403", rounds=2),
    # -- the way --------------------------------------------------------------------------------------------------------
    Case("server stopped", "dentrix", is_stopped, "net.refused", "safe", "waiting", "timeout", proxied=True),
    Case("server stopped", "dampsoft", suffers("net.refused"), "net.refused", "safe", "waiting", "timeout"),
    Case("server stopped", "epic", suffers("net.refused"), "net.refused", "safe", "waiting", "timeout"),
    Case("black hole", "dentrix", falls_silent, TimedOut.code, "safe", "waiting", "timeout", proxied=True),
    Case("black hole", "dampsoft", falls_silent, TimedOut.code, "safe", "waiting", "timeout", proxied=True),
    Case("server stopped", "dental_suite", suffers("net.refused"), "net.refused", "safe", "waiting", "timeout"),
    Case("share away", "praxident", suffers("file.share_unavailable"), "file.share_unavailable", "safe", "waiting", "timeout"),
    Case("connections reset", "dentrix", breaks_off, "net.reset", "safe", "waiting", "timeout", proxied=True),
    Case("server faults", "dental_suite", suffers("upstream.down"), "upstream.down", "safe", "waiting", "timeout"),
    Case("a portal answers", "dentrix", suffers("net.proxy_interference"), "net.proxy_interference", "safe", "waiting",
         "timeout"),
    *[
        Case("upstream slow", system, grows_slow, "upstream.slow", "safe", "waiting", "timeout", proxied=True, rounds=3)
        for system in ("dental_suite", "dentrix", "dampsoft")
    ],
    Case("upstream slow", "epic", answers_slowly, "upstream.slow", "safe", "waiting", "timeout", rounds=3),
    *[
        Case("pages too slow", system, is_slow_by_the_row, "upstream.slow", "safe", "healed", "timeout")
        for system in ("dental_suite", "dentrix")
    ],
    Case("upstream too slow", "dental_suite", is_too_slow, "upstream.slow", "safe", "waiting", "timeout", proxied=True),
    Case("certificate expired", "epic", suffers("tls.certificate_expired"), "tls.certificate_expired", "human", "guided", "tls"),
    Case("certificate untrusted", "epic", suffers("tls.untrusted"), "tls.untrusted", "human", "guided", "tls"),
    Case("clock wrong", "epic", suffers("auth.clock_skew"), "auth.clock_skew", "human", "guided", "tls"),
    # -- limits ---------------------------------------------------------------------------------------------------------
    *[
        Case("rate limited", system, suffers("rate.limited", requests=3, retry_after=60), "rate.limited", "safe", "waiting",
             "429")
        for system in ("dentrix", "dental_suite", "epic")
    ],
    Case("sessions used up", "dentrix", suffers("auth.session_limit"), "auth.session_limit", "safe", "waiting", "429"),
    # -- schema ---------------------------------------------------------------------------------------------------------
    Case("column renamed", "dentrix", suffers("schema.column_renamed", **{"from": "mobilePhone", "to": "cellPhone"}),
         "schema.column_renamed", "safe", "healed", "column"),
    Case("column renamed twice", "dentrix", suffers("schema.column_renamed", **{"from": "mobilePhone", "to": "cellPhone"}),
         "schema.column_renamed", "safe", "healed", "column",
         returns=suffers("schema.column_renamed", **{"from": "mobilePhone", "to": "portable"})),
    Case("column renamed", "dental_suite", suffers("schema.column_renamed", **{"from": "city", "to": "town"}),
         "schema.column_renamed", "safe", "healed", "column"),
    Case("column renamed", "dampsoft", suffers("schema.column_renamed", view="v_patient", column="TELMOBIL", to="HANDY"),
         "schema.column_renamed", "safe", "healed", "column"),
    Case("column dropped", "dampsoft", suffers("schema.column_removed", view="v_patient", column="TELMOBIL"),
         "schema.column_removed", "human", "guided", "column"),
    # -- files ----------------------------------------------------------------------------------------------------------
    Case("charset declared falsely", "praxident", suffers("data.encoding"), "data.encoding", "safe", "healed", "file"),
    Case("no charset fits", "praxident", suffers("data.encoding", mixed=True), "data.encoding", "human", "guided", "file"),
    Case("file half written", "praxident", suffers("data.partial_file"), "data.partial_file", "safe", "waiting", "file"),
    Case("file truncated for good", "praxident", suffers("data.truncated_file"), "data.truncated_file", "human", "guided",
         "file"),
)  # fmt: skip
