"""Enqueueing: by name, deduplicated by key or by what a job is about, on both databases, without any worker."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tools.jobs import DETECT, SYNC, Jobs, JobUnknown, open_jobs
from tools.store.settings import Settings


@pytest.fixture
async def jobs(store_settings: Settings) -> AsyncIterator[Jobs]:
    async with open_jobs(store_settings) as opened:
        yield opened


async def test_a_job_waits_in_its_queue_until_a_worker_comes(jobs: Jobs) -> None:
    job = await jobs.sync("acme", "int_1", ["Patient"])
    status = await jobs.status(job)
    assert (status.kind, status.tenant, status.state, status.ended) == (SYNC, "acme", "queued", False)


async def test_the_same_key_names_the_same_job_and_another_tenants_key_another(jobs: Jobs) -> None:
    first = await jobs.sync("acme", "int_1", key="once")
    assert await jobs.sync("acme", "int_1", key="once") == first
    assert await jobs.sync("other", "int_2", key="once") != first
    assert await jobs.drive("acme", "thr_1", key="once") != first


async def test_what_is_due_is_queued_once_and_what_is_asked_for_as_often_as_it_is(jobs: Jobs) -> None:
    assert await jobs.sync_due("acme", "int_1") == await jobs.sync_due("acme", "int_1")
    assert await jobs.sync_due("acme", "int_1") != await jobs.sync_due("acme", "int_2")
    assert await jobs.sync("acme", "int_1") != await jobs.sync("acme", "int_1")


async def test_a_thread_may_be_driven_again_though_a_run_is_queued_unless_once_is_enough(jobs: Jobs) -> None:
    assert await jobs.drive("acme", "thr_1") != await jobs.drive("acme", "thr_1")
    assert await jobs.drive("acme", "thr_1", once=True) == await jobs.drive("acme", "thr_1", once=True)


async def test_delivery_and_looking_after_are_queued_once(jobs: Jobs) -> None:
    assert await jobs.deliver("acme") == await jobs.deliver("acme")
    assert await jobs.deliver("acme") != await jobs.deliver("other")
    assert await jobs.heal("acme", "int_1", once=True) == await jobs.heal("acme", "int_1", once=True)


async def test_an_address_is_looked_at_under_the_name_of_its_job(jobs: Jobs) -> None:
    status = await jobs.status(await jobs.detect("acme", "https://praxis.example", "cred_1"))
    assert (status.kind, status.tenant) == (DETECT, "acme")


async def test_a_job_that_never_was_is_unknown(jobs: Jobs) -> None:
    with pytest.raises(JobUnknown):
        await jobs.status("job_none")


async def test_jobs_outlive_the_one_who_enqueued_them(store_settings: Settings) -> None:
    async with open_jobs(store_settings) as first:
        job = await first.heal("acme", "int_1", incident="inc_1")
    async with open_jobs(store_settings) as second:
        assert (await second.status(job)).state == "queued"
