"""What pages and API ask of the notifier's database, and the few things that people change there."""

import secrets
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from contracts.events import PlanPublished
from contracts.plan import AlertRule, Audience, Plan
from services.notifier.pipeline.compose import Item, subject_of
from services.notifier.pipeline.group import SEVERITIES, Letter, message_id
from services.notifier.pipeline.line import Tools
from services.notifier.pipeline.route import Contact
from services.notifier.samples import sample_occasion
from services.notifier.settings import NotifierSettings
from services.notifier.store import NotifierStore
from services.notifier.wording import Alert, Wording
from services.runtime.audit import Audit
from services.runtime.auth import Principal, Role
from services.runtime.clock import Clock, FrozenClock, wall_milliseconds
from services.runtime.journal import Pack
from services.runtime.mongo import Document
from services.runtime.web.i18n import Words

PAGE = 50
OPEN_DAYS = 30
"""An alert that nobody acknowledged is no longer shown as open after so many days."""
SILENT_MS = 20_000
"""A worker that has not been heard of for so long is said to stand still."""
LONGEST_SILENCE = timedelta(days=60)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the ledger: a notice, its alert in words, and what became of its mail."""

    notice: Document
    alert: Alert | None
    mail: Document | None
    occasion: Document

    @property
    def state(self) -> str:
        """What to show: the occasion's end comes before the mail's."""
        if self.notice["form"] == "alert" and self.occasion.get("retracted_at"):
            return "retracted"
        if self.notice["form"] == "alert" and self.occasion.get("acknowledged_at"):
            return "acknowledged"
        return str(self.notice["state"])


@dataclass(frozen=True, slots=True)
class ServiceState:
    """How the notifier does, as the pages show it."""

    age_seconds: float | None
    """Since the worker was last heard of; None: never."""
    oldest_unsent_seconds: float
    error: str
    waiting: int
    failed: int
    catcher: bool
    no_contact: int
    """Occasions that reached nobody, for want of an address."""

    @property
    def silent(self) -> bool:
        """Whether the worker stands still."""
        return self.age_seconds is None or self.age_seconds * 1_000 > SILENT_MS

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return not self.silent and not self.error


class Ledger:
    """Reads what the worker wrote; writes acknowledgements, silences, test mails."""

    def __init__(
        self, store: NotifierStore, clock: Clock | FrozenClock, settings: NotifierSettings
    ) -> None:
        self.store = store
        self.clock = clock
        self.settings = settings
        self.audit = Audit(store.database, clock)
        self._plans: dict[str, Plan] = {}
        self._tools: Tools | None = None

    async def open(self, tools: Tools) -> None:
        """What it needs to write words and read links."""
        self._tools = tools

    @property
    def tools(self) -> Tools:
        """What the pipeline uses too."""
        if self._tools is None:
            raise RuntimeError("not opened")
        return self._tools

    async def on_plans(self, packs: list[Pack]) -> None:
        """Plans hold the words."""
        for pack in packs:
            for line in pack.lines:
                self.publish(PlanPublished.model_validate_json(line).plan)

    def publish(self, plan: Plan) -> None:
        """A plan version; the newest one gives the words."""
        known = self._plans.get(plan.id)
        if known is None or known.version <= plan.version:
            self._plans[plan.id] = plan

    def plans(self) -> list[Plan]:
        """Plans with alerts, the one that began last first."""
        with_alerts = [plan for plan in self._plans.values() if plan.alerts is not None]
        return sorted(with_alerts, key=lambda plan: plan.starts_on, reverse=True)

    def alert(self, occasion: Document, words: Words, role: str = "head") -> Alert | None:
        """An occasion in words; None when its plan has that alert no longer."""
        plan = self._plans.get(occasion["plan"])
        rule = rule_of(plan, occasion["rule"])
        if plan is None or rule is None:
            return None
        return Wording(plan, words).alert(rule, occasion, role)

    async def open_alerts(self, who: Principal, words: Words) -> list[tuple[Document, Alert]]:
        """What concerns the units of an officer or head and is not done, taken up or taken back; gravest first."""
        scopes = [who.grants[role] for role in (Role.OFFICER, Role.HEAD) if role in who.grants]
        wanted: dict[str, Any] = {
            "fate": "raised",
            "retracted_at": None,
            "acknowledged_at": None,
            "over_at": None,
            "at": {"$gt": self.clock.now() - timedelta(days=OPEN_DAYS)},
            "unit": {"$ne": ""},
        }
        if all(scopes):
            wanted["unit"] = {"$in": sorted(frozenset().union(*scopes))}
        found = await self.store.occasions.find(wanted).sort("at", -1).to_list(PAGE * 2)
        found.sort(
            key=lambda one: SEVERITIES.index(one["severity"])
        )  # the latest first in each
        told = [(one, self.alert(one, words)) for one in found]
        return [(one, alert) for one, alert in told if alert is not None]

    async def lines(
        self, words: Words, wanted: dict[str, str], page: int
    ) -> tuple[list[Line], bool]:
        """One page of the ledger, newest first, and whether there is more."""
        query: dict[str, Any] = {key: value for key, value in wanted.items() if value}
        cursor = self.store.notices.find(query).sort([("made_at", -1), ("_id", 1)])
        notices = await cursor.skip((page - 1) * PAGE).to_list(PAGE + 1)
        more, notices = len(notices) > PAGE, notices[:PAGE]
        occasions = await self._by_id(self.store.occasions, (n["occasion"] for n in notices))
        mails = await self._by_id(
            self.store.mails, (n["mail"] for n in notices if n["mail"]), {"body": 0}
        )
        lines = []
        for notice in notices:
            occasion = occasions[notice["occasion"]]
            mail = mails.get(notice["mail"] or "")
            lines.append(Line(notice, self.alert(occasion, words), mail, occasion))
        return lines, more

    @staticmethod
    async def _by_id(
        collection: Any,  # noqa: ANN401 - a typed collection of any kind
        numbers: Iterable[str],
        fields: Document | None = None,
    ) -> dict[str, Document]:
        found = collection.find({"_id": {"$in": list(numbers)}}, fields)
        return {one["_id"]: one async for one in found}

    async def state(self) -> ServiceState:
        """How the notifier does."""
        beat = await self.store.read_mark("heartbeat")
        catcher = await self.store.read_mark("catcher")
        age = (wall_milliseconds() - beat["wall_ms"]) / 1_000 if "wall_ms" in beat else None
        return ServiceState(
            age_seconds=age,
            oldest_unsent_seconds=beat.get("oldest_unsent_seconds", 0.0),
            error=beat.get("error", ""),
            waiting=await self.store.mails.count_documents(
                {"state": {"$in": ["queued", "sending"]}}
            ),
            failed=await self.store.mails.count_documents({"state": "failed"}),
            catcher=bool(catcher.get("used")),
            no_contact=await self.store.notices.count_documents({"reason": "no_contact"}),
        )

    async def notice_of_link(self, signed: str) -> tuple[Document, Document] | None:
        """(notice, occasion) of a link in a mail; None: no such link."""
        number = self.tools.signer.read(signed)
        notice = await self.store.notices.find_one({"_id": number}) if number else None
        if notice is None:
            return None
        occasion = await self.store.occasions.find_one({"_id": notice["occasion"]})
        return None if occasion is None else (notice, occasion)

    async def acknowledge(self, occasion: str, by: str) -> None:
        """Somebody takes it up; the first one counts."""
        await self.audit.record(by, "alert.acknowledged", occasion)
        await self.store.occasions.update_one(
            {"_id": occasion, "acknowledged_at": None},
            {
                "$set": {
                    "acknowledged_at": self.clock.now(),
                    "acknowledged_by": by,
                    "acknowledgement": "new",
                }
            },
        )

    async def silences(self) -> list[Document]:
        """All silences, the latest first."""
        return await self.store.silences.find({}).sort("made_at", -1).to_list(200)

    async def silence(
        self, author: str, unit: str, rule: str, reason: str, ends: datetime
    ) -> None:
        """Let some alerts not be told until an end."""
        subject = f"{unit or '*'}|{rule or '*'}"
        detail = {"ends_at": ends.isoformat()}
        await self.audit.record(
            author, "alerts.silenced", subject, reason=reason, detail=detail
        )
        await self.store.silences.insert_one(
            {
                "_id": secrets.token_hex(8),
                "author": author,
                "unit": unit,
                "rule": rule,
                "reason": reason,
                "ends_at": ends,
                "made_at": self.clock.now(),
                "ended_at": None,
            }
        )

    async def end_silence(self, number: str, by: str) -> bool:
        """End one before its time."""
        await self.audit.record(by, "alerts.silence_ended", number)
        done = await self.store.silences.update_one(
            {"_id": number, "ended_at": None},
            {"$set": {"ended_at": self.clock.now(), "ended_by": by}},
        )
        return done.modified_count == 1

    def preview(self, plan: Plan, rule: AlertRule, lang: str) -> EmailMessage:
        """A mail of one alert with sample data."""
        words = self.tools.words["vi" if lang == "vi" else "en"]
        occasion = sample_occasion(plan, rule, self.clock.now())
        wording = Wording(plan, words)
        base = self.settings.public_url.rstrip("/")
        alert = wording.alert(rule, occasion, rule.audience[0])
        link = f"{base}/alerts" if rule.escalates else ""
        name = words.gettext("Người nhận mẫu")
        contact = Contact("", name, "mau@example.invalid", "head", (), words.lang)
        letter = Letter(
            "sample", digest=False, notices=[{"_id": rule.code, "severity": rule.severity}]
        )
        item = Item(alert, "alert", base + alert.path, link)
        written = self.tools.composer.write(letter, contact, [item], wording.about())
        return message_from_bytes(written.as_bytes(), _class=EmailMessage, policy=default)

    async def contacts(self) -> list[Document]:
        """Every contact."""
        return await self.store.contacts.find({}).sort("_id", 1).to_list(None)

    async def send_test(self, code: str, by: str) -> str | None:
        """Queue a test mail to a contact; returns its Message-ID. None: there is no such contact."""
        stored = await self.store.contacts.find_one({"_id": code})
        plan = next(iter(self.plans()), None)
        if stored is None or plan is None or plan.alerts is None:
            return None
        await self.audit.record(by, "alerts.tested", code)
        words = self.tools.words[stored["lang"]]
        rule = plan.alerts.rules[0]
        wording = Wording(plan, words)
        alert = Alert(
            title=words.gettext("thư thử"),
            fact=words.gettext("Đây là thư thử: đường gửi thư hoạt động."),
            todo=words.gettext("Không cần làm gì."),
            clause=rule.clause,
            severity="notice",
            path="/alerts",
            unit="",
            occasion="test",
        )
        number = f"test|{secrets.token_hex(8)}"
        role: Audience = stored["role"]
        contact = Contact(code, stored["name"], stored["email"], role, (), stored["lang"])
        letter = Letter(
            contact.person, digest=False, notices=[{"_id": number, "severity": "notice"}]
        )
        base = self.settings.public_url.rstrip("/")
        mail = self.tools.composer.write(
            letter, contact, [Item(alert, "alert", f"{base}/alerts", "")], wording.about()
        )
        key = message_id(letter, self.tools.composer.domain)
        await self.store.mails.insert_one(
            {
                "_id": key, "person": contact.person, "to": contact.email, "channel": "",
                "subject": subject_of(mail), "notices": [], "severity": "notice",
                "digest": True, "reply_to": "", "on": "", "made_at": self.clock.now(),
                "made_ms": wall_milliseconds(), "next_try_ms": 0, "attempts": 0, "state": "queued",
                "step": "adopted", "answer": "", "test": True,
                "body": zlib.compress(mail.as_bytes()),
            }
        )  # fmt: skip
        return key

    async def tests(self) -> list[Document]:
        """The last test mails and what became of them."""
        found = self.store.mails.find({"test": True}, {"body": 0}).sort("made_ms", -1)
        return await found.to_list(5)

    async def caught(self, page: int) -> tuple[list[Document], bool]:
        """Caught mails, the latest first, and whether there are more."""
        cursor = self.store.caught.find({}, {"raw": 0}).sort("number", -1)
        found = await cursor.skip((page - 1) * PAGE).to_list(PAGE + 1)
        return found[:PAGE], len(found) > PAGE

    async def caught_mail(self, number: int) -> tuple[Document, EmailMessage] | None:
        """One caught mail."""
        found = await self.store.caught.find_one({"number": number})
        if found is None:
            return None
        return found, message_from_bytes(found["raw"], _class=EmailMessage, policy=default)


def rule_of(plan: Plan | None, code: str) -> AlertRule | None:
    """The alert with this code."""
    rules: Sequence[AlertRule] = plan.alerts.rules if plan and plan.alerts else ()
    return next((rule for rule in rules if rule.code == code), None)


def part_of(mail: EmailMessage, kind: str) -> str:
    """The plain or HTML part of a mail; empty when it has none."""
    part = mail.get_body((kind,))
    return "" if part is None else str(part.get_content())


__all__ = ["Ledger", "Line", "ServiceState", "part_of", "rule_of"]
