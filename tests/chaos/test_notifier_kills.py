"""kill -9 at each stage of the pipeline: a real notifier process, a real mail server, one alert all the way through.

The processes follow each other on one database. Each dies one stage further than the one before, so that what it left
half done is what the next one starts from. With one connection, a repeat can be of one mail at most.
"""

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from contracts.events import DossierRecorded
from contracts.wire import to_event, to_line
from services.notifier.settings import NotifierSettings
from services.notifier.store import NotifierStore
from services.notifier.wiring import open_store
from services.publishing import publish
from services.runtime.clock import wall_now
from services.runtime.datafolder import free_port
from services.runtime.resources import resources
from services.runtime.settings import Settings
from tests.support.dying_notifier import STAGES
from tests.support.mail_servers import HOST, Nasty, serving
from tests.support.notifying import PLAN, changed, local, of_units, read
from tests.support.waiting import until

pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("programs")]
UNIT = "31399"
TOLD = {f"o-{UNIT}", f"h-{UNIT}", "council", "standing"}
IN_DATA = "in the middle of DATA"
UNHEARD = "accepted, the answer not sent"
BY_SERVER = (IN_DATA, UNHEARD)
ORDER = [*list(STAGES)[:6], *BY_SERVER, *list(STAGES)[6:]]
REPEATING = {UNHEARD, "accepted, not in the ledger"}
"""The server has the mail, the ledger does not know: the documented place of a repeat."""


class Executioner(Nasty):
    """A mail server that kills its client at one of its own stages."""

    def __init__(self) -> None:
        super().__init__()
        self.stage = ""
        self.victim = 0

    def reached(self, stage: str) -> None:
        """Kill the client if it was to die here."""
        if stage == self.stage:
            self.stage = ""
            os.kill(self.victim, signal.SIGKILL)

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        answer = await super().handle_DATA(server, session, envelope)
        self.reached(UNHEARD)
        return answer

    def breaks_in_data(self) -> bool:
        return self.stage == IN_DATA

    def break_in_data(self, _server: SMTP) -> None:
        self.reached(IN_DATA)


@asynccontextmanager
async def notifier(
    settings: NotifierSettings, log: Path, *command: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A notifier as a process of its own; ended as an operator ends it, if it still lives."""
    environment = os.environ | settings.environment() | {"THIDUA_PORT": str(free_port())}
    with log.open("ab") as said:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", *command, env=environment, stdout=said, stderr=said
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            await asyncio.wait_for(process.wait(), 60)


async def two_overdue_dossiers(settings: NotifierSettings) -> None:
    """An exclusion in the journal: four people are to be told at once."""
    assert PLAN.alerts is not None
    rules = [rule for rule in PLAN.alerts.rules if rule.code == "overdue-excluded"]
    alerts = PLAN.alerts.model_copy(update={"rules": rules, "window_minutes": 0})
    plan = changed(PLAN, units=[u for u in PLAN.units if u.code == UNIT], alerts=alerts)
    async with resources(settings) as own:
        await publish(own, plan)
        store = open_store(own)
        await store.contacts.insert_many(of_units([UNIT]))
        await store.mark("contacts", version=1)
        lines = [
            to_line(
                to_event(
                    DossierRecorded.example
                    | {
                        "dossier": number,
                        "unit": UNIT,
                        "due_at": local("2023-06-15", "17:00").isoformat(),
                        "finished_at": None,
                        "status": "processing",
                    }
                )
            )
            for number in ("H1", "H2")
        ]
        await own.journal.append("indicator", 0, lines)


async def all_recorded(store: NotifierStore) -> bool:
    wanted = {"state": "accepted", "form": "alert"}
    return await store.notices.count_documents(wanted) == len(TOLD)


async def test_a_kill_at_each_stage_loses_nothing_and_repeats_at_most_the_mail_under_way(
    settings: Settings, tmp_path: Path
) -> None:
    server, log = Executioner(), tmp_path / "notifier.log"
    arrivals: list[tuple[str, int]] = []
    async with serving(server) as port:
        own = NotifierSettings.model_validate(
            settings.model_dump()
            | {
                "clock_start": local("2023-06-16", "08:00"), "clock_anchor": wall_now(),
                "smtp_host": HOST, "smtp_port": port, "smtp_security": "none",
                "smtp_connections": 1, "smtp_retry_seconds": 0.05, "escalations": False,
            }
        )  # fmt: skip
        await two_overdue_dossiers(own)
        for stage in ORDER:
            command = ["services.notifier.app"]
            if stage not in BY_SERVER:
                command = ["tests.support.dying_notifier", stage]
            async with notifier(own, log, *command) as process:
                server.stage, server.victim = stage, process.pid
                code = await asyncio.wait_for(process.wait(), 60)
            assert code == -signal.SIGKILL, (stage, log.read_text()[-2000:])
            arrivals.append((stage, len(server.mails)))
        async with resources(own) as shared:
            store = open_store(shared)
            async with notifier(own, log, "services.notifier.app"):
                await until(lambda: all_recorded(store))
            mails = await store.mails.find({}).to_list(None)
            notices = await store.notices.find({}).to_list(None)
    ids = Counter(str(read(raw)["Message-ID"]) for _, raw in server.mails)
    assert {to.partition("@")[0] for to, _ in server.mails} == TOLD, "somebody was not told"
    assert set(ids) == {mail["_id"] for mail in mails}
    assert {(mail["state"], mail["step"]) for mail in mails} == {("accepted", "recorded")}
    assert len(notices) == len(TOLD), "an alert was told under two keys"
    assert sum(ids.values()) - len(ids) == len(REPEATING), arrivals
    assert len(set(server.mails)) == len(ids), "a repeat differs from its original"
    heard = {stage: number for stage, number in arrivals if number}
    assert next(iter(heard)) == UNHEARD, "the server took a mail from somebody who died before"
