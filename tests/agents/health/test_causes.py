"""Each cause, injected for real, is named beside its look-alikes; only what is safe is done, and the store stays the truth.

The table is `evals.suites.healing_cases`: cause, system, class of remedy, end. The suites `diagnosis` and `healing` of
`patchbay eval` count over the same cases.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import stamina

from evals.suites.healing_cases import CASES, Case
from evals.suites.healing_rounds import play
from evals.suites.ward import Ward

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEN = {
    "auth.token_expired", "auth.credentials_rejected", "auth.forbidden", "net.refused", "tls.certificate_expired",
    "rate.limited", "upstream.slow", "schema.column_renamed", "data.encoding", "data.partial_file",
}  # fmt: skip
LOOK_ALIKES = [
    ("auth.token_expired", "auth.credentials_rejected"), ("auth.forbidden", "auth.credentials_rejected"),
    ("auth.forbidden", "data.silent_zero"), ("net.refused", "net.timeout"), ("net.refused", "upstream.slow"),
    ("net.timeout", "upstream.slow"), ("net.refused", "net.reset"), ("rate.limited", "auth.session_limit"),
    ("rate.limited", "upstream.slow"), ("schema.column_renamed", "schema.column_removed"),
    ("data.partial_file", "data.truncated_file"), ("tls.certificate_expired", "auth.clock_skew"),
    ("tls.certificate_expired", "tls.untrusted"),
]  # fmt: skip


@pytest.fixture(autouse=True)
def no_waiting() -> object:
    """Retries come at once."""
    with stamina.set_testing(True, attempts=2, cap=True):
        yield


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ward(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ward]:
    ward = Ward(tmp_path_factory.mktemp("ward"))
    yield ward
    await ward.close()


# The suites play each cause on every system that can have it; here once, on the one that is onboarded soonest.
ONE_OF_EACH = [
    *{each.root_cause: each for each in sorted(CASES, key=lambda each: each.system == "dental_suite")}.values()
]


@pytest.mark.parametrize(
    "case", ONE_OF_EACH, ids=[f"{each.name}-{each.system}".replace(" ", "_") for each in ONE_OF_EACH]
)
async def test_a_cause_is_named_and_only_what_is_safe_is_done(ward: Ward, case: Case) -> None:
    async with ward.admit(case.system, proxied=case.proxied, own=case.own) as patient:
        seen = await play(patient, case)
    assert (seen.found, seen.risk, seen.ends) == (case.root_cause, case.risk, case.ends)
    assert seen.probability > 0.8
    assert seen.supporting
    assert seen.languages == ["de", "en"]
    assert seen.doubled == []
    assert seen.harm == []
    assert seen.wrong_after == []


async def test_the_table_holds_the_ten_causes_and_both_of_every_pair_of_look_alikes() -> None:
    told = {each.root_cause for each in CASES}
    assert told >= TEN
    assert {each for pair in LOOK_ALIKES for each in pair} <= told
