"""`/metrics`: OpenMetrics text of the whole process, all tenants together, nothing of any of them by name."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tools.metrics import Call
from tools.store.models import StreamState


async def test_the_whole_process_is_told_without_a_key_and_without_a_name(served: Any, clock: Any) -> None:
    for tenant, hours in (("north", 2), ("south", 5)):
        store = await served.stores.of(tenant)
        practice = await store.practices.create("Praxis Zzyzx", "DE", "Europe/Berlin", "EUR")
        integration = await store.integrations.create(
            practice_id=practice.id, system="dentrix", method="rest", address="https://pms.example", state="live"
        )
        long_ago = clock() - timedelta(hours=hours)
        state = StreamState(
            integration_id=integration.id, stream="patients", due_at=long_ago, last_success_at=long_ago
        ).model_copy(update={"last_run_at": long_ago})
        await store.streams.put(state)
        store.process.metrics.count_call(Call("dentrix", "rest", "read_page", "ok", 0.2))
    answer = await (await served.anonymous()).get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    lines = answer.text.splitlines()
    assert lines[-1] == "# EOF"
    assert 'patchbay_freshness_seconds{stream="patients",system="dentrix"} 18000.0' in lines
    assert "patchbay_queue_age_seconds 18000.0" in lines
    assert "patchbay_streams_due 2.0" in lines
    counted = [line for line in lines if line.startswith("patchbay_requests_total")]
    assert len(counted) == 1
    assert counted[0].endswith(" 2.0")
    for secret in ("Zzyzx", "north", "south", "pms.example"):
        assert secret not in answer.text
