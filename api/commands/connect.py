"""`patchbay connect`: the whole onboarding of one address, begun, continued or found done."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import monotonic

from agents.driver import start_thread, thread_state
from agents.states import Request
from api import person
from api.onboarding_view import OnboardingView
from api.output import Output
from api.practice_place import checked_country, checked_time_zone
from api.running import context_of, run, store_for
from api.watching import drive_or_watch
from knowledge.canonical import canonical_model
from knowledge.errors import BadInput, PatchbayError
from tools.address import parse_address, require_local
from tools.credentials import read_credentials
from tools.descriptions import read_description
from tools.store.ids import new_id
from tools.store.models import Integration, Thread
from tools.store.open import Store
from tools.sync.credentials import replace_credentials, send_again


@dataclass(frozen=True)
class ConnectOptions:
    """What a person typed."""

    address: str
    credentials: str | None = None
    accept_only: bool = False
    new: bool = False
    plan: bool = False
    practice: str | None = None
    country: str | None = None
    time_zone: str | None = None
    entities: str | None = None
    docs: str | None = None
    login_works: bool = False


@dataclass(frozen=True)
class Wish:
    """The same, read and checked: from here on nothing that was typed can be wrong."""

    options: ConnectOptions
    address: str
    entities: tuple[str, ...]
    login: dict[str, str] | None = field(repr=False)
    described: dict[str, object] | None = field(repr=False)

    def request(self, thread_id: str, credentials_ref: str | None) -> Request:
        """What the onboarding graph begins with."""
        options = self.options
        return Request(
            thread_id=thread_id, address=self.address, credentials_ref=credentials_ref, practice=options.practice,
            country=options.country.upper() if options.country else None, time_zone=options.time_zone,
            entities=self.entities, accept_only=options.accept_only, plan_only=options.plan,
            described_by=self.described is not None, local=True,
        )  # fmt: skip


def run_connect(options: ConnectOptions, *, as_json: bool) -> int:
    """Exit code 0 when the integration is live (or was planned), 1 when it is not, 2 for what cannot be used."""
    output = Output(as_json)
    wish = _wish(options)

    async def work() -> int:
        started = monotonic()
        async with store_for(output) as store:
            return await _connect(OnboardingView(output, context_of(store), started), wish)

    return run(work)


def _wish(options: ConnectOptions) -> Wish:
    address = parse_address(options.address).url
    entities = _entities(options.entities)
    checked_time_zone(options.time_zone)
    checked_country(options.country)
    if options.practice is not None and not (options.practice.isprintable() and 0 < len(options.practice) <= 200):
        raise BadInput("--practice", "is empty, too long or holds control characters.", "Write up to 200 letters.")
    login = read_credentials(options.credentials) if options.credentials is not None else None
    if options.login_works and login is None:
        raise BadInput("--login-works", "names no login.", "Hand the login over as well, by --credentials FILE.")
    described = read_description(options.docs).model_dump(mode="json") if options.docs is not None else None
    return Wish(options, address, entities, login, described)


def _entities(text: str | None) -> tuple[str, ...]:
    if text is None:
        return ()
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    known = canonical_model().entities
    for name in names:
        if name not in known:
            raise BadInput("--entities", f"there is no entity {name!r}.", f"Choose from {', '.join(known)}.")
    if not names:
        raise BadInput("--entities", "names none.", "Write it like Patient,Appointment.")
    return names


async def _connect(view: OnboardingView, wish: Wish) -> int:
    store = view.context.store
    if wish.options.login_works and wish.login is not None:
        await send_again(store, wish.login, "cli")
    last = await _last_thread(store, wish.address)
    integration = await _integration(store, last)
    if wish.options.new:
        await _abandon(store, last, integration)
    elif integration is not None and integration.state in {"live", "paused"} and not _is_unfinished(last):
        return await _already_live(view, integration, wish.login, proven_again=wish.options.login_works)
    elif last is not None and _goes_on(last, integration):
        return await _continue(view, wish, last)
    require_local(parse_address(wish.address))
    thread_id = new_id("thr")
    ref = await store.credentials.put(wish.login) if wish.login is not None else None
    await _keep_description(store, thread_id, wish)
    request = wish.request(thread_id, ref)
    await start_thread(view.context, request)
    return await _drive(view, thread_id, request, wish)


async def _last_thread(store: Store, address: str) -> Thread | None:
    threads = [each for each in await store.threads.list() if each.address == address]
    return max(threads, key=lambda each: each.created_at, default=None)


async def _integration(store: Store, thread: Thread | None) -> Integration | None:
    if thread is None or thread.integration_id is None:
        return None
    return await store.integrations.get(thread.integration_id)


def _is_unfinished(thread: Thread | None) -> bool:
    """It died between going live and its last step: that step still lies before it."""
    return thread is not None and thread.status in {"open", "waiting"}


def _goes_on(thread: Thread, integration: Integration | None) -> bool:
    """An onboarding that did not become live goes on under its own ids, so that nothing of it is there twice."""
    if thread.integration_id is not None:
        return integration is not None and integration.state != "disconnected"
    return True


async def _abandon(store: Store, thread: Thread | None, integration: Integration | None) -> None:
    """Close what was open at this address: nobody is asked about it any more. A live integration is left alone."""
    if thread is None or thread.status not in {"open", "waiting"}:
        return
    await store.questions.close_obsolete(thread.id, ())
    await store.threads.update(thread.id, status="failed")
    if integration is not None and integration.state not in {"live", "paused"}:
        await store.integrations.update(integration.id, state="disconnected")


async def _already_live(
    view: OnboardingView, integration: Integration, login: dict[str, str] | None, *, proven_again: bool
) -> int:
    """A live one says so; another login is proven before it takes the old one's place."""
    store, ref = view.context.store, integration.credentials_ref
    known = await store.credentials.get(ref) if ref else {}
    if login is not None and (login != known or proven_again):
        await replace_credentials(store, integration, login)
        view.output.line({"event": "step", "step": "credentials", "integration": integration.id, "replaced": True})
        view.output.say(f"{integration.id}: the new credentials work and are now in use.")
    view.output.say(f"{integration.id} is {integration.state} at this address already; --new starts afresh.")
    return await view.conclude(integration.thread_id or "")


async def _continue(view: OnboardingView, wish: Wish, thread: Thread) -> int:
    """Go on with an onboarding where it stopped; from its start where it had ended or is wanted otherwise now."""
    store = view.context.store
    going_on = thread.status in {"open", "waiting"}
    said = "Going on with the open onboarding" if going_on else "Taking up the onboarding"
    view.output.say(f"{said} {thread.id} of this address again; --new starts afresh.")
    before = (await thread_state(view.context, thread.id)).get("request")
    known = await store.credentials.get(before.credentials_ref) if before and before.credentials_ref else None
    ref = None  # of a login that was not known yet: one that was refused is no answer
    if wish.login is not None and (wish.login != known or wish.options.login_works):
        ref = await store.credentials.put(wish.login)
    await _keep_description(store, thread.id, wish)
    await _answer_by_options(store, wish, thread.id, ref)
    wanted = wish.request(thread.id, ref) if before is None else _changed(before, wish, ref)
    return await _drive(view, thread.id, None if going_on and wanted == before else wanted, wish)


def _changed(before: Request, wish: Wish, ref: str | None) -> Request:
    """The request of an onboarding as it is wanted now: what was not said again stays, but `--plan` is said each time."""
    options = wish.options
    given = wish.request(before.thread_id, ref)
    return before.model_copy(
        update={"credentials_ref": ref or before.credentials_ref,
                "practice": given.practice or before.practice, "country": given.country or before.country,
                "time_zone": given.time_zone or before.time_zone, "entities": given.entities or before.entities,
                "accept_only": given.accept_only or before.accept_only, "plan_only": options.plan,
                "described_by": given.described_by or before.described_by}
    )  # fmt: skip


async def _keep_description(store: Store, thread_id: str, wish: Wish) -> None:
    if wish.described is not None:
        await store.artifacts.put(thread_id, "docs", wish.described)


async def _answer_by_options(store: Store, wish: Wish, thread_id: str, ref: str | None) -> None:
    """What was handed over by options now answers what is open: a login, a CA, a time zone."""
    ca_file = (wish.login or {}).get("ca_file")
    answers = {"credentials": ref, "ca_file": ca_file, "time_zone": wish.options.time_zone}
    for question in await store.questions.open(thread_id):
        answer = answers.get(question.kind)
        if answer is not None:
            await store.questions.answer(question.id, answer)


async def _drive(view: OnboardingView, thread_id: str, request: Request | None, wish: Wish) -> int:
    """Run the onboarding to its end; a person who is there is asked what it waits for, and it goes on."""
    store = view.context.store
    asks = not wish.options.accept_only and not view.output.as_json and person.is_present()
    try:
        while True:
            async for event in drive_or_watch(view.context, thread_id, request):
                view.show(event)
            questions = await store.questions.open(thread_id) if asks else []
            if not questions or not await person.ask_all(view.output, store, questions):
                return await view.conclude(thread_id)
            request = None
    except PatchbayError as error:
        view.output.say(error.sentence)
        return await view.conclude(thread_id, error)
