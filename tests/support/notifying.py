"""A notifier without its process: its stages on a real MongoDB, a clock that the test moves, a real SMTP server."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, time, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, TypeVar

from contracts.calendar import LOCAL
from contracts.events import DossierRecorded, ExclusionLifted, ReportReceived
from contracts.packages import PapersRecorded
from contracts.plan import Plan
from contracts.wire import fact_id, to_event, to_line
from services.notifier.application import Notifier
from services.notifier.channels.catcher import HOST, Catcher
from services.notifier.pipeline.line import Line
from services.notifier.pipeline.send import Post, Sender
from services.notifier.settings import NotifierSettings
from services.notifier.store import NotifierStore
from services.notifier.wiring import tools_of
from services.runtime import mongo
from services.runtime.clock import FrozenClock
from services.runtime.mongo import Document
from services.runtime.settings import Settings
from tests.support.facts import reference_plan

PLAN = reference_plan()
T = TypeVar("T")


def present(value: T | None) -> T:
    """The value, which is there."""
    assert value is not None
    return value


ALERTS = present(PLAN.alerts)
START = datetime(2023, 6, 1, 0, 0, tzinfo=LOCAL)


def changed(plan: Plan, **changes: Any) -> Plan:
    """The plan with other values, read anew so that nothing computed from the old ones stays."""
    return Plan.model_validate(plan.model_copy(update=changes).model_dump())


def local(day: date | str, clock: str = "00:00") -> datetime:
    """Local time of a day."""
    day = date.fromisoformat(day) if isinstance(day, str) else day
    return datetime.combine(day, time.fromisoformat(clock), LOCAL)


def contact(code: str, role: str, *units: str, **more: Any) -> Document:
    """A contact with an invented mailbox."""
    return {
        "_id": code,
        "name": f"Người nhận {code}",
        "email": f"{code}@example.invalid",
        "role": role,
        "units": list(units),
        "lang": "vi",
        "alerts": [],
        "channel": "",
        **more,
    }


OFFICES = [
    contact("standing", "standing"),
    contact("council", "council"),
    contact("chair", "chair"),
]


def of_units(units: Iterable[str]) -> list[Document]:
    """An officer and a head for each unit, and the offices."""
    return [
        *(contact(f"o-{unit}", "officer", unit) for unit in units),
        *(contact(f"h-{unit}", "head", unit) for unit in units),
        *OFFICES,
    ]


class Stage:
    """One notifier whose process may end at any time and start anew from its database and the journal."""

    def __init__(self, settings: NotifierSettings, clock: FrozenClock, database: Any) -> None:
        self.settings = settings
        self.clock = clock
        self.store = NotifierStore(database)
        self.journal: list[tuple[str, Any]] = []
        """Everything that happened, to be folded anew at each start."""
        self.plans: list[tuple[Plan, datetime]] = []
        self.notifier = Notifier(self.store, clock)
        self.line: Line

    async def start(self) -> None:
        """Start from what is stored, and read the journal from its beginning."""
        self.notifier = Notifier(self.store, self.clock)
        await self.notifier.load()
        for plan, at in self.plans:
            self.notifier.watch.publish(plan, at)
        for kind, event in self.journal:
            self._fold(kind, event)
        self.line = Line(
            self.store, self.notifier.watch, await tools_of(self.store, self.settings)
        )

    def _fold(self, kind: str, event: Any) -> None:
        picture = self.notifier.watch.picture
        if kind == "dossier":
            picture.dossier(fact_id(event), event, to_line(event))
        elif kind == "report":
            picture.report(fact_id(event), event, to_line(event))
        elif kind == "lifting":
            picture.lift(fact_id(event), event, to_line(event))
        elif kind == "papers":
            picture.hand_in(event)
        elif kind == "score":
            picture.score(event)
        else:
            raise ValueError(kind)

    def happen(self, kind: str, event: Any) -> None:
        """An event is journaled, and reaches the running notifier."""
        self.journal.append((kind, event))
        self._fold(kind, event)

    def publish(self, plan: Plan, at: datetime) -> None:
        """A plan version is journaled, and reaches the running notifier."""
        self.plans.append((plan, at))
        self.notifier.watch.publish(plan, at)

    def dossier(
        self, number: str, unit: str, due: str, done: str | None = None, **more: Any
    ) -> None:
        """A dossier is now so; `due` and `done` are days."""
        fields = DossierRecorded.example | {
            "dossier": number,
            "unit": unit,
            "version": len(self.journal) + 1,
            "received_at": local("2023-06-01").isoformat(),
            "occurred_at": local("2023-06-01").isoformat(),
            "due_at": local(due, "17:00").isoformat(),
            "finished_at": None if done is None else local(done, "10:00").isoformat(),
            "status": "processing" if done is None else "returned",
        }
        self.happen("dossier", to_event(fields | more))

    def report(self, unit: str, month: str, day: str, **more: Any) -> None:
        """A report was received on a day."""
        fields = ReportReceived.example | {
            "unit": unit,
            "month": month,
            "subject": f"{unit}:{month}",
            "version": len(self.journal) + 1,
            "received_at": local(day, "10:00").isoformat(),
        }
        self.happen("report", to_event(fields | more))

    def papers(self, unit: str, day: date, missing: list[str]) -> None:
        """A unit's award dossier is now so."""
        fields = PapersRecorded.example | {
            "plan": PLAN.id,
            "unit": unit,
            "version": len(self.journal) + 1,
            "missing": missing,
            "received_on": None if missing else day,
            "at": local(day, "10:00"),
        }
        self.happen("papers", PapersRecorded.model_validate(fields))

    def lift(self, unit: str, month: str, rule: str, **more: Any) -> None:
        """The office lifts an exclusion."""
        fields = ExclusionLifted.example | {
            "unit": unit,
            "month": month,
            "rule": rule,
            "subject": f"{unit}:{rule}:{month}",
            "version": len(self.journal) + 1,
        }
        self.happen("lifting", to_event(fields | more))

    async def contacts(self, contacts: list[Document]) -> None:
        """These and no others."""
        await self.store.contacts.delete_many({})
        await self.store.contacts.insert_many(contacts)
        await self.store.mark("contacts", version=len(contacts))

    async def at(self, moment: datetime) -> None:
        """One look at a moment."""
        self.clock.instant = moment.astimezone(UTC)
        await self.notifier.step(self.line)

    async def until(self, moment: datetime, every: timedelta = timedelta(hours=1)) -> None:
        """Looks up to a moment."""
        while self.clock.instant + every <= moment:
            await self.at(self.clock.instant + every)

    async def notices(self, **wanted: Any) -> list[Document]:
        """Notices in order of their making."""
        return (
            await self.store.notices.find(wanted)
            .sort([("made_at", 1), ("_id", 1)])
            .to_list(None)
        )

    async def mails(self, **wanted: Any) -> list[Document]:
        """Mails in order of their making."""
        return (
            await self.store.mails.find(wanted).sort([("made_at", 1), ("_id", 1)]).to_list(None)
        )


@asynccontextmanager
async def stage_for(settings: Settings, **more: Any) -> AsyncIterator[Stage]:
    """A notifier with an empty database."""
    own = NotifierSettings.model_validate(
        settings.model_dump()
        | {"mail_per_minute": 1_000_000, "smtp_retry_seconds": 0.05}
        | more
    )
    client = mongo.connect(settings)
    try:
        stage = Stage(
            own,
            FrozenClock(START.astimezone(UTC)),
            mongo.database(client, settings, "notifier"),
        )
        await stage.store.prepare()
        await stage.start()
        yield stage
    finally:
        client.close()


@asynccontextmanager
async def catching(stage: Stage) -> AsyncIterator[Sender]:
    """A real SMTP server that keeps the mails, and a sender that knows it."""
    catcher = Catcher(stage.store.caught, 10_000, stage.clock)
    port = await catcher.start(0)
    post = Post(stage.settings, HOST, port, plain=True)
    try:
        yield Sender(stage.store, post, stage.settings, stage.clock)
    finally:
        await catcher.stop()


def read(raw: bytes) -> EmailMessage:
    """A mail as a program reads it."""
    return message_from_bytes(raw, _class=EmailMessage, policy=default)
