"""`thidua demo`: a whole season of the reference plan in a minute and a half, on the simulated clock."""

import contextlib
import shutil
import signal
import subprocess  # nosec B404  # starts our own program
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import httpx

    from contracts.plan import Plan
    from services.runtime.clock import Clock
    from services.season import Happening

ROOT = Path(__file__).resolve().parents[1]
MARK = "demo.mark"
BATCH = 1_000
STEP_SECONDS = 0.15
DELAY_SECONDS = 8
"""The simulated clock stands still so long, while everything starts."""
PATIENCE_SECONDS = 60
"""So long a part of the system may be away, as after a kill, before the demonstration gives up."""
NATIONAL = "/api/v1/portal/national"
ALIASES = "deploy/aliases/phung-hiep-2023.csv"
DOORS = {True: "/api/v1/portal/events", False: "/api/v1/indicator-events"}


class DemoError(Exception):
    """The demonstration cannot run; says why."""


def demo(
    data: Annotated[
        Path, typer.Option(help="Folder of the demonstration; emptied first.")
    ] = Path(".data/demo"),
    port: Annotated[int, typer.Option(min=1, max=65_535)] = 8000,
    seconds: Annotated[float, typer.Option(min=5, help="How long the season takes.")] = 90,
    seed: Annotated[int, typer.Option(help="Another season.")] = 2023,
    dossiers: Annotated[int, typer.Option(min=0, help="How many dossiers.")] = 6_000,
    *,
    stay: Annotated[bool, typer.Option(help="Keep running at the end.")] = True,
) -> None:
    """Install nothing, show everything: start, replay a simulated season live, stay running."""
    from services.demo_people import make_people  # noqa: PLC0415
    from services.plan_files import read_plan  # noqa: PLC0415
    from services.runtime.datafolder import is_free  # noqa: PLC0415
    from services.season import season  # noqa: PLC0415

    _empty(data)
    port = next(number for number in range(port, port + 50) if is_free(number))
    plan = read_plan(ROOT / "deploy/plans/phung-hiep-2023")
    length = plan.ends_on - plan.starts_on + timedelta(days=8)
    rate = length.total_seconds() / seconds
    happenings = [h for h in season(plan, seed, dossiers) if not _by_hand(h[1])]
    _say(f"Starting Redis, MongoDB, the worker and the web pages on {data} …")
    with _running(data, port, plan, rate) as system:
        try:
            _replay(data, port, plan, seed, happenings)
            _say("The season is over. Sample people settle and check the award packages …")
            made = _made_packages(data, port, plan)
            _tell_where(data, port, make_people(data))
            _say("\n".join(["Award packages, made by sample people:", *made]))
            if stay:
                system.wait()
        except KeyboardInterrupt:
            _say("\nStopping …")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _empty(data: Path) -> None:
    from services.runtime.datafolder import running  # noqa: PLC0415

    if (run := running(data)) is not None:
        raise DemoError(
            f"a demonstration runs on {data} already: {run.address} (process {run.pid})"
        )
    if data.exists() and any(data.iterdir()):
        if not (data / MARK).exists():
            raise DemoError(
                f"{data} holds something else than a demonstration; name another --data"
            )
        shutil.rmtree(data)
    data.mkdir(parents=True, exist_ok=True)
    (data / MARK).touch()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


class _running:  # noqa: N801 - reads as a verb
    """The system as a child process; ended with this one."""

    def __init__(self, data: Path, port: int, plan: "Plan", rate: float) -> None:
        until = datetime.combine(plan.ends_on + timedelta(days=8), datetime.min.time())
        self._command = [
            sys.executable, "-m", "services.cli", "up",
            "--data", str(data.resolve()), "--port", str(port),
            "--clock-start", f"{plan.starts_on}T00:00",
            "--clock-rate", f"{rate:.3f}", "--clock-delay", str(DELAY_SECONDS),
            "--clock-until", until.isoformat(timespec="minutes"),
        ]  # fmt: skip

    def __enter__(self) -> "subprocess.Popen[str]":
        for ending in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(ending, _interrupt)
        self._child = subprocess.Popen(  # noqa: S603  # nosec B603  # our own program
            self._command, cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        output = self._child.stdout
        if output is None:
            raise DemoError("no output to read")
        for line in output:
            if line.startswith("ready "):
                _say(line.strip())
                return self._child
        raise DemoError("the system did not start; its messages stand above")

    def __exit__(self, *_: object) -> None:
        if self._child.poll() is None:
            self._child.send_signal(signal.SIGINT)
        try:
            self._child.wait(10)
        except subprocess.TimeoutExpired:
            self._child.kill()


def _replay(
    data: Path, port: int, plan: "Plan", seed: int, happenings: list["Happening"]
) -> None:
    import httpx  # noqa: PLC0415

    from services.demo_people import OfficeAtWork  # noqa: PLC0415
    from services.runtime.auth import Keys, Role, issue  # noqa: PLC0415
    from services.runtime.datafolder import stored_clock  # noqa: PLC0415
    from services.season.national import names_of  # noqa: PLC0415

    key = issue(Keys(data / "keys").signing(), Role.PORTAL)
    clock = stored_clock(data)
    office = OfficeAtWork(data, f"http://127.0.0.1:{port}", plan, seed, clock)
    inventing = threading.Thread(target=_invent_contacts, args=(data, plan))
    inventing.start()
    _say(
        f"Replaying {len(happenings):,} events from {plan.starts_on:%d/%m/%Y} "
        f"to {plan.ends_on:%d/%m/%Y}; look at http://127.0.0.1:{port}/ while it runs."
    )
    headers = {"Authorization": f"Bearer {key}"}
    names = names_of(plan)
    _explain_names(data)
    with httpx.Client(
        base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30
    ) as client:
        sent = 0
        progress = _Progress(clock, len(happenings))
        office.start()
        for due in _in_time(happenings, clock):
            _send(client, due, names)
            sent += len(due)
            progress.show(client, plan, sent)
    office.finish()
    inventing.join()
    _say("")


def _by_hand(event: dict[str, Any]) -> bool:
    """Claims of the units whose officers report through the workspace."""
    from services.season.officers import UNITS  # noqa: PLC0415

    return event["type"] != "dossier.recorded" and event["unit"] in UNITS


def _invent_contacts(data: Path, plan: "Plan") -> None:
    """Mailboxes that do not exist, so that alerts have somewhere to go: the mail page keeps them.

    Beside the season: while its process starts, days go by on the simulated clock.
    """
    rows = ["code,name,email,role,units"]
    for unit in plan.units:
        if unit.bloc in plan.reporting.blocs:
            for role, title in (("officer", "Cán bộ phụ trách"), ("head", "Thủ trưởng")):
                code = f"{role}-{unit.code}".lower()
                name = f'"{title}, {unit.name.vi}"'
                rows.append(f"{code},{name},{code}@example.invalid,{role},{unit.code}")
    for role, name in (
        ("standing", "Phòng Văn hóa và Thông tin"),
        ("council", "Văn phòng HĐND và UBND"),
        ("chair", "Lãnh đạo huyện"),
    ):
        rows.append(f"{role},{name},{role}@example.invalid,{role},")
    file = data / "contacts.csv"
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    command = [sys.executable, "-m", "services.cli", "contacts", "import"]
    subprocess.run(  # noqa: S603  # nosec B603  # our own program
        [*command, str(file), "--data", str(data.resolve())],
        cwd=ROOT,
        check=True,
        stdout=subprocess.DEVNULL,
    )


def _in_time(
    happenings: list[tuple[datetime, dict[str, Any]]], clock: "Clock"
) -> Iterator[list[dict[str, Any]]]:
    """What is due since the last look, until everything was."""
    at = 0
    while at < len(happenings):
        now = clock.now()
        end = at
        while end < len(happenings) and end - at < BATCH and happenings[end][0] <= now:
            end += 1
        yield [event for _, event in happenings[at:end]]
        if end - at < BATCH:
            time.sleep(STEP_SECONDS)
        at = end


def _explain_names(data: Path) -> None:
    """Say which units the names of the one-stop systems mean, as an operator does."""
    words = ["alias", "import", str(ROOT / ALIASES), "--data", str(data.resolve())]
    subprocess.run(  # noqa: S603  # nosec B603  # our own program
        [sys.executable, "-m", "services.cli", *words],
        cwd=ROOT,
        check=True,
        stdout=subprocess.DEVNULL,
    )


def _send(client: "httpx.Client", events: list[dict[str, Any]], names: dict[str, str]) -> None:
    """Every third dossier as a one-stop system sends it, everything else in our own form."""
    from services.season.national import is_national, payloads  # noqa: PLC0415

    for envelope in payloads([e for e in events if is_national(e)], names):
        _post(client, NATIONAL, envelope)
    own = [e for e in events if not is_national(e)]
    for portal, door in DOORS.items():
        some = [e for e in own if (e["type"] == "dossier.recorded") == portal]
        if some:
            _post(client, door, some)


def _post(client: "httpx.Client", door: str, content: Any) -> None:  # noqa: ANN401 - JSON
    """Send them again until they are accepted, as every sender should: a repeat changes nothing."""
    import httpx  # noqa: PLC0415

    from services.runtime.clock import monotonic_seconds  # noqa: PLC0415

    end = monotonic_seconds() + PATIENCE_SECONDS
    while True:
        said = "no answer"
        with contextlib.suppress(httpx.TransportError):
            answer = client.post(door, json=content)
            if answer.status_code == httpx.codes.ACCEPTED:
                return
            if answer.status_code == httpx.codes.OK and answer.json()["error_code"] == "0":
                return
            said = f"{answer.status_code}: {answer.text[:300]}"
        if monotonic_seconds() > end:
            raise DemoError(f"{door} does not accept the season: {said}")
        time.sleep(STEP_SECONDS)


class _Progress:
    """One line that moves on a screen; twenty lines where there is none."""

    def __init__(self, clock: "Clock", total: int) -> None:
        self._clock = clock
        self._total = total
        self._told = -1

    def show(self, client: "httpx.Client", plan: "Plan", sent: int) -> None:
        """How far the season is, and who leads."""
        import httpx  # noqa: PLC0415

        moving = sys.stdout.isatty()
        step = 20 * sent // self._total
        if not moving and step == self._told:
            return
        try:
            line = f"{self._line(client, plan, sent):<100}"
        except (httpx.HTTPError, ValueError):  # it is just being restarted
            return
        self._told = step
        sys.stdout.write(line + ("\r" if moving else "\n"))
        sys.stdout.flush()

    def _line(self, client: "httpx.Client", plan: "Plan", sent: int) -> str:
        from contracts.calendar import local_date  # noqa: PLC0415

        url = f"/api/v1/standings/{plan.id}/{plan.blocs[0].code}"
        answer = client.get(url, params={"period": str(plan.ends_on.year)})
        leader = answer.raise_for_status().json()["rows"][0]
        share = sent / self._total
        bar = "█" * round(24 * share) + "░" * (24 - round(24 * share))
        today = local_date(self._clock.now())
        return (
            f"{today:%d/%m/%Y}  {bar} {share:4.0%}  {sent:>7,} events"
            f"  1st: {leader['name']} {leader['points'][:-2]}"
        )


def _made_packages(data: Path, port: int, plan: "Plan") -> list[str]:
    from services.demo_packages import PackageLateError, show_packages  # noqa: PLC0415

    try:
        return show_packages(data, port, plan)
    except PackageLateError as late:
        raise DemoError(str(late)) from None


def _tell_where(data: Path, port: int, links: dict[str, str]) -> None:
    base = f"http://127.0.0.1:{port}"
    people = "\n".join(f"  {who}\n    {link}" for who, link in links.items())
    _say(
        f"""
The season is over and everything still runs. Where to look:
  {base}/                              the leaderboard (communes; tabs for departments and hamlets)
  {base}/?bloc=department              the departments
  {base}/?period=2023-Q3               a quarter, or a month: 2023-07
  {base}/units/phung-hiep-2023/31399   a unit: every indicator, its rule and the facts behind
  {base}/?display=wall                 for a big screen
  {base}/packages                      award packages (sign in first, see README)
  {base}/mail                          the mails that units were sent (sign in as a reviewer)
  {base}/alerts/ledger                 who was told what, and why not
  {base}/openapi.json                  the HTTP interface
  {base}/metrics                       what operators watch
  {base}/submit                        an officer's month (sign in first)
  {base}/review                        the standing office's queue (sign in first)
People who may sign in; each link sets a password, once:
{people}
Prove the numbers:   thidua verify --data {data}
Prove a package:     thidua package verify {data}/packages/FILE --data {data}
Send an event:       thidua token --data {data} --role portal   (see README)
Stop with Ctrl-C."""
    )
