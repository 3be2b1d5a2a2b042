"""The command `thidua`: what an operator does on one machine. Slow imports wait until a command needs them."""

import asyncio
import http.client
import json
import shutil
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services import commands

if TYPE_CHECKING:
    from services.runtime.clock import Clock
    from services.runtime.datafolder import Run
    from services.runtime.embedded import Addresses
    from services.runtime.supervisor import AppProcess

HOST = "127.0.0.1"
PLAN = Path("deploy/plans/phung-hiep-2023")
WORKERS = {
    "scoring": "services.scoring.app",
    "notifier": "services.notifier.app",
    "reports": "services.reports.app",
}
"""Name of each worker process -> the module that runs it."""
BESIDE = frozenset({"notifier"})
"""Workers without which the pages are ready all the same: a dead mail server takes no board away."""
TELL_EVERY_SECONDS = 10
LEAST_MEMORY_BYTES = 1_000_000_000

app = typer.Typer(
    name="thidua",
    help="Live emulation standings on one machine.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
Data = Annotated[Path, typer.Option("--data", help="Folder that holds everything.")]
Port = Annotated[int, typer.Option("--port", min=1, max=65_535, help="Port of the web pages.")]


class CommandError(Exception):
    """A command cannot do what was asked; says why and what to do."""


@app.command()
def up(  # noqa: PLR0913, PLR0917 - one parameter for each option
    data: Data = Path(".data"),
    port: Port = 8000,
    plan: Annotated[Path, typer.Option(help="Folder of the plan to publish.")] = PLAN,
    clock_start: Annotated[
        str | None,
        typer.Option(help="Simulated time to begin at, such as 2023-06-01T07:00 (UTC+7)."),
    ] = None,
    clock_rate: Annotated[
        float | None, typer.Option(min=0.001, help="Simulated seconds in a real second.")
    ] = None,
    clock_until: Annotated[
        str | None,
        typer.Option(help="Simulated time from which on the clock runs as fast as real time."),
    ] = None,
    clock_delay: Annotated[
        float,
        typer.Option(min=0, help="Real seconds for which the simulated clock stands first."),
    ] = 0,
) -> None:
    """Run everything in the foreground until Ctrl-C: databases, web pages, workers."""
    until = None if clock_until is None else _instant(clock_until)
    start = None if clock_start is None else _instant(clock_start)
    if not plan.is_dir() and plan == PLAN:
        plan = Path(__file__).resolve().parents[1] / PLAN
    if not plan.is_dir():
        raise CommandError(f"there is no plan folder {plan}: name one with --plan")
    asyncio.run(_System(data, port, plan, (start, clock_rate, until, clock_delay)).run())


@app.command()
def token(
    role: Annotated[
        str,
        typer.Option(
            help="portal, officer, head, reviewer, observer, leader, viewer or admin."
        ),
    ],
    data: Data = Path(".data"),
    unit: Annotated[
        list[str] | None,
        typer.Option(help="Code of a unit to limit it to; repeatable. None: all units."),
    ] = None,
    days: Annotated[float, typer.Option(min=0.0001, max=3650, help="How long it lasts.")] = 30,
) -> None:
    """Print a token for a person or another system; make the keys if there are none."""
    from services.runtime.auth import Keys, Role, issue  # noqa: PLC0415
    from services.runtime.datafolder import prepare  # noqa: PLC0415

    if role not in list(Role):
        raise CommandError(f"there is no role {role!r}: use one of {', '.join(Role)}")
    prepare(data)
    key = Keys(data / "keys").signing()
    sys.stdout.write(issue(key, Role(role), unit or (), lifetime=timedelta(days=days)) + "\n")


@app.command()
def doctor(data: Data = Path(".data"), port: Port = 8000) -> None:
    """Say what is found, what is missing, and how to get it."""
    failed = False
    for name, good, text in _findings(data, port):
        sys.stdout.write(f"{'ok' if good else 'MISSING':<8} {name:<13} {text}\n")
        failed = failed or not good
    if failed:
        raise typer.Exit(1)


commands.register(app)


def main() -> None:
    """Run one command; what is expected to go wrong is said in a sentence, without a traceback."""
    try:
        app()
    except Exception as error:
        said = _said(error)
        if said is None:
            raise
        sys.stderr.write(f"thidua: {said}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _said(error: Exception) -> str | None:
    """What somebody can act on; None: nobody expected it."""
    from pydantic import ValidationError  # noqa: PLC0415

    from services.runtime.settings import faults_of  # noqa: PLC0415

    if isinstance(error, ValidationError) and error.title.endswith("Settings"):
        return faults_of(error)
    return str(error) if isinstance(error, _expected()) else None


def _expected() -> tuple[type[Exception], ...]:
    from services.demo import DemoError  # noqa: PLC0415
    from services.portal_commands import SourceError  # noqa: PLC0415
    from services.publishing import PlanConflictError, PlanFileError  # noqa: PLC0415
    from services.runtime.access.accounts import AccountError  # noqa: PLC0415
    from services.runtime.backup.archive import ArchiveError  # noqa: PLC0415
    from services.runtime.binaries import BinaryMissingError  # noqa: PLC0415
    from services.runtime.datafolder import DataFolderError  # noqa: PLC0415
    from services.runtime.embedded import DatabaseStartError  # noqa: PLC0415

    return (
        CommandError,
        ArchiveError,
        AccountError,
        SourceError,
        DataFolderError,
        BinaryMissingError,
        DatabaseStartError,
        PlanFileError,
        PlanConflictError,
        DemoError,
        OSError,
    )


def _instant(text: str) -> datetime:
    from services.runtime.clock import LOCAL  # noqa: PLC0415

    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"{text!r} is no time: write 2023-06-01T07:00") from None
    return instant if instant.tzinfo else instant.replace(tzinfo=LOCAL)


class _System:
    """One `thidua up`: which processes it consists of, and when it is ready."""

    def __init__(
        self,
        data: Path,
        port: int,
        plan: Path,
        clock: tuple[datetime | None, float | None, datetime | None, float],
    ) -> None:
        self._data = data
        self._port = port
        self._plan = plan
        self._moved = clock
        self._running: Run | None = None

    async def run(self) -> None:
        from services.runtime.datafolder import is_free, running  # noqa: PLC0415
        from services.runtime.embedded import run  # noqa: PLC0415

        if running(self._data) is None and not is_free(self._port):
            raise CommandError(
                f"port {self._port} is taken: stop what uses it, or choose another with --port"
            )
        await run(self._data, self._apps, self._when_started)

    def _apps(self, addresses: "Addresses") -> "list[AppProcess]":
        """The processes; also tells the other commands where they are."""
        import os  # noqa: PLC0415

        from services.runtime.auth import Keys  # noqa: PLC0415
        from services.runtime.datafolder import Run, free_ports, write_run  # noqa: PLC0415
        from services.runtime.supervisor import AppProcess  # noqa: PLC0415

        Keys(self._data / "keys").verifying()
        clock = self._clock()
        shards, slices = _division()
        names = (*WORKERS, *slices)
        ports = free_ports(len(names), besides=[self._port])
        workers = {
            name: f"http://{HOST}:{port}" for name, port in zip(names, ports, strict=True)
        }
        self._running = Run(
            pid=os.getpid(),
            port=self._port,
            address=f"http://{HOST}:{self._port}",
            mongo_url=addresses.mongo_url,
            redis_url=addresses.redis_url,
            clock_start=clock.start,
            clock_anchor=clock.anchor,
            clock_rate=clock.rate,
            clock_until=clock.until,
            workers=workers,
        )
        write_run(self._data, self._running)
        shared = {
            "THIDUA_MONGO_URL": addresses.mongo_url,
            "THIDUA_REDIS_URL": addresses.redis_url,
            "THIDUA_KEYS_DIR": str((self._data / "keys").resolve()),
            "THIDUA_WORKER_URLS": json.dumps(
                [url for name, url in workers.items() if name not in BESIDE]
            ),
            "THIDUA_PUBLIC_URL": _public_url(self._port),
            "THIDUA_SCORING_SHARDS": str(shards),
            "THIDUA_SCORING_ORDINAL": "",
            **_clock_variables(clock),
        }
        web = {**shared, "THIDUA_PORT": str(self._port)}
        processes = [
            AppProcess(
                f"worker {name}",
                [sys.executable, "-m", WORKERS["scoring" if name in slices else name]],
                shared
                | {"THIDUA_HOST": HOST, "THIDUA_PORT": url.rpartition(":")[2]}
                | slices.get(name, {}),
            )
            for name, url in workers.items()
        ]
        return [*processes, AppProcess("web", [sys.executable, "-m", "services.app"], web)]

    def _clock(self) -> "Clock":
        """The clock of this folder, moved if that was asked, and kept for the next time."""
        from services.runtime.clock import Clock, wall_now  # noqa: PLC0415
        from services.runtime.datafolder import (  # noqa: PLC0415
            moved_clock,
            store_clock,
            stored_clock,
        )
        from services.runtime.settings import Settings  # noqa: PLC0415

        clock, given = stored_clock(self._data), Settings()
        if clock.start is None and given.clock_start is not None:
            clock = Clock(
                given.clock_start,
                given.clock_anchor or wall_now(),
                given.clock_rate,
                given.clock_until,
            )
        clock = moved_clock(clock, *self._moved)
        store_clock(self._data, clock)
        return clock

    async def _when_started(self, _: "Addresses") -> None:
        from services.plan_files import PlanFileError  # noqa: PLC0415
        from services.publishing import PlanConflictError, publish_directory  # noqa: PLC0415
        from services.runtime.datafolder import settings_for  # noqa: PLC0415

        try:
            await publish_directory(settings_for(self._data, self._running), self._plan)
        except (PlanFileError, PlanConflictError) as error:
            raise CommandError(f"the plan cannot be published:\n{error}") from None
        await self._ready()
        await self._welcome()
        sys.stdout.write(f"ready http://{HOST}:{self._port}\n")
        sys.stdout.flush()

    async def _welcome(self) -> None:
        """When no administrator can sign in yet: say how one does."""
        from services.people_commands import first_link  # noqa: PLC0415
        from services.runtime.datafolder import settings_for  # noqa: PLC0415
        from services.runtime.resources import resources  # noqa: PLC0415
        from services.runtime.supervisor import tell  # noqa: PLC0415

        async with resources(settings_for(self._data, self._running)) as own:
            link = await first_link(own, f"http://{HOST}:{self._port}")
        if link is not None:
            tell("thidua", f"no administrator can sign in yet; one sets a password at {link}")

    async def _ready(self) -> None:
        """Wait until the web process says that it and the workers are ready."""
        from services.runtime.supervisor import tell  # noqa: PLC0415

        loop = asyncio.get_running_loop()
        next_word = loop.time() + TELL_EVERY_SECONDS
        while (why := await asyncio.to_thread(_trouble, self._port)) is not None:
            if loop.time() > next_word:
                next_word += TELL_EVERY_SECONDS
                tell("thidua", f"not ready yet: {why}")
            await asyncio.sleep(0.05)


def _division() -> tuple[int, dict[str, dict[str, str]]]:
    """Shards, and name of each worker that shares the slices -> what it is told; none where nothing is divided."""
    from services.scoring.settings import ScoringSettings  # noqa: PLC0415

    given = ScoringSettings()
    count = given.scoring_slices
    if count == 1:
        return given.scoring_shards, {}
    asked = "scoring_shards" in given.model_fields_set
    sharing = range(given.scoring_workers or count)
    workers = {f"scoring-{n}": {"THIDUA_SCORING_ORDINAL": str(n)} for n in sharing}
    return given.scoring_shards if asked else count, workers


def _public_url(port: int) -> str:
    """Where links in mails lead: what the operator says, else this machine."""
    from services.notifier.settings import NotifierSettings  # noqa: PLC0415

    given = NotifierSettings()
    return (
        given.public_url if "public_url" in given.model_fields_set else f"http://{HOST}:{port}"
    )


def _clock_variables(clock: "Clock") -> dict[str, str]:
    if clock.start is None or clock.anchor is None:
        return {}
    until = {} if clock.until is None else {"THIDUA_CLOCK_UNTIL": clock.until.isoformat()}
    return {
        **until,
        "THIDUA_CLOCK_START": clock.start.isoformat(),
        "THIDUA_CLOCK_ANCHOR": clock.anchor.isoformat(),
        "THIDUA_CLOCK_RATE": repr(clock.rate),
    }


def _trouble(port: int) -> str | None:
    """Why the web process is not ready; None when it is."""
    connection = http.client.HTTPConnection(HOST, port, timeout=1)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        body = answer.read(500).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return str(error) or type(error).__name__
    finally:
        connection.close()
    return None if answer.status == http.HTTPStatus.OK else body


def _findings(data: Path, port: int) -> Iterator[tuple[str, bool, str]]:
    """(what, whether it is as it should be, what was found or how to get it)."""
    import psutil  # noqa: PLC0415

    from services.runtime.datafolder import (  # noqa: PLC0415
        LEAST_FREE_BYTES,
        free_bytes,
        is_free,
        running,
    )

    yield "python", sys.version_info >= (3, 11), f"{sys.version.split()[0]}, {sys.executable}"
    yield from map(_server, ("redis-server", "mongod"))
    folder = next(p for p in (data.resolve(), *data.resolve().parents) if p.is_dir())
    free = free_bytes(folder)
    yield "disk", free >= LEAST_FREE_BYTES, f"{free / 1e9:.1f} GB free at {folder}"
    memory = psutil.virtual_memory().available
    yield (
        "memory",
        memory >= LEAST_MEMORY_BYTES,
        f"{memory / 1e9:.1f} GB available (1 GB is the least)",
    )
    if run := running(data):
        yield "port", True, f"`thidua up` runs on {data} at {run.address}"
    elif is_free(port):
        yield "port", True, f"{port} is free"
    else:
        yield "port", False, f"{port} is taken: use `thidua up --port N`"
    names = ("chromium", "chromium-browser", "google-chrome")
    browser = next(filter(None, map(shutil.which, names)), None)
    hint = "not found; only the browser tests need it (apt-get install chromium)"
    yield "browser", True, browser or hint


def _server(name: str) -> tuple[str, bool, str]:
    from services.runtime.binaries import (  # noqa: PLC0415
        SOURCES,
        BinaryMissingError,
        find,
        version,
    )
    from services.runtime.settings import Settings  # noqa: PLC0415

    setting = SOURCES[name].setting
    if setting.lower() in Settings().model_fields_set:
        return name, True, f"not needed, {setting} is set"
    try:
        binary = find(name)
        return name, True, f"{version(binary)} ({binary.origin}: {binary.path})"
    except BinaryMissingError as error:
        return name, False, str(error)


if __name__ == "__main__":
    main()
