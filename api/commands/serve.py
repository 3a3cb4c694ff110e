"""`patchbay serve`: the API and a worker in one process."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from api.front import Application, Front
from api.logs import log_a_service_to_stderr
from api.output import Output
from knowledge.errors import BadInput

if TYPE_CHECKING:
    from fastapi import FastAPI
    from uvicorn import Server

    from api.jobs.worker import Worker
    from tools.store.settings import Settings

GRACE_SECONDS = 10


def run_serve(host: str, port: int, *, as_json: bool) -> int:
    """Answer until SIGTERM or Ctrl-C. The socket is open before anything heavy is imported."""
    log_a_service_to_stderr()
    for name in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises it again when all is shut: then it means nothing more
        signal.signal(name, lambda *_: None)
    output = Output(as_json)
    with _bound(host, port) as opened:
        place = opened.getsockname()
        address = f"http://{f'[{place[0]}]' if ':' in place[0] else place[0]}:{place[1]}"
        output.line({"event": "listening", "address": address})
        output.text(f"Patchbay listens at {address}; Ctrl-C ends it.")
        from tools.store.settings import Settings

        return asyncio.run(_serve(opened, Settings()))


def _bound(host: str, port: int) -> socket.socket:
    mend = "Name a free port, or an address of this machine."
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        opened = socket.socket(family)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((host, port))
        opened.listen(2048)
    except OSError as error:
        raise BadInput(f"--host {host} --port {port}", f"cannot be listened at ({error.strerror}).", mend) from error
    return opened


async def _serve(opened: socket.socket, settings: Settings) -> int:
    import uvicorn

    ended: list[BaseException] = []
    unfinished: list[bool] = []

    def failed(error: BaseException) -> None:
        ended.append(error)
        server.should_exit = True

    async def come_up(stack: AsyncExitStack) -> Application:
        return await _open(stack, settings, unfinished)

    config = uvicorn.Config(
        Front(come_up, failed), log_config=None, access_log=False, server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )  # fmt: skip
    server: Server = uvicorn.Server(config)
    await server.serve(sockets=[opened])
    if ended:
        raise ended[0]
    if unfinished:
        leave_at_once()
    return 0


async def _open(stack: AsyncExitStack, settings: Settings, unfinished: list[bool]) -> Application:
    """Import in a thread, bring the tables up to date, open the application, start the worker."""
    application, worker = await asyncio.to_thread(_made, settings)
    await stack.enter_async_context(application.router.lifespan_context(application))
    await asyncio.to_thread(worker.start)

    async def stop() -> None:
        if not await asyncio.to_thread(worker.stop, GRACE_SECONDS):
            unfinished.append(True)

    stack.push_async_callback(stop)
    return application


def _made(settings: Settings) -> tuple[FastAPI, Worker]:
    from api.app import create_app
    from api.jobs.worker import Worker
    from tools.process import collect_seldom

    collect_seldom()
    worker = Worker(settings)
    return create_app(settings, checks={"worker": worker.check}), worker


def leave_at_once() -> None:
    """Jobs that did not end within the grace are taken up by the next worker, exactly as after a crash."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
