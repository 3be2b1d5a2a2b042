"""The stages in their order: route, dedupe, mute, group, compose, escalate, record. Each can be taken again."""

import asyncio
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from contracts.calendar import local_date
from contracts.plan import AlertRule, Alerts, Plan
from services.notifier.domain.hours import after_working_hours
from services.notifier.domain.reasons import Dropped, Held
from services.notifier.domain.watch import Watch
from services.notifier.pipeline.compose import Composer, Item, Signer, subject_of
from services.notifier.pipeline.group import Letter, grouped, message_id, over_budget
from services.notifier.pipeline.mute import mutes, next_digest, quiet_until, silenced_by
from services.notifier.pipeline.notices import DROPPED, dropped_of, follow_up, notice_of
from services.notifier.pipeline.route import Contact, Directory, as_contact
from services.notifier.settings import NotifierSettings
from services.notifier.store import NotifierStore
from services.notifier.wording import Wording
from services.runtime.clock import wall_milliseconds
from services.runtime.mongo import Document
from services.runtime.tracing import together
from services.runtime.web.formats import Lang
from services.runtime.web.i18n import Words

TOLD = frozenset({"mailed", "accepted", "failed"})
OWED = frozenset({"report", "dossier", "deadline", "review", "appeal"})


@dataclass(frozen=True, slots=True)
class Tools:
    """What the stages need beside the store."""

    settings: NotifierSettings
    composer: Composer
    signer: Signer
    words: Mapping[Lang, Words]


class Line:
    """Takes occasions through the stages until they are mails that wait to be sent."""

    def __init__(self, store: NotifierStore, watch: Watch, tools: Tools) -> None:
        self._store = store
        self._watch = watch
        self._tools = tools
        self._directory = Directory([])
        self._people: dict[str, Contact] = {}
        self._contacts_version: object = None
        self._first = True
        """After a start whatever the last run left half done is taken up again."""

    async def run(self, now: datetime, *, found: bool) -> None:
        """Every stage once; `found`: there may be new occasions."""
        await self._read_contacts()
        if self._first:
            await (
                self._store.adopt_mails()
            )  # before retractions, to which they would look untold
        if found or self._first:
            await self.route(now)
            await self.route_retractions(now)
            self._first = False
        await self.route_acknowledgements(now)
        if self._tools.settings.escalations:
            await self.escalate(now)
        await self.release(now)
        await self._store.record_mails()

    async def _read_contacts(self) -> None:
        """Read the contacts anew if they were imported since."""
        version = (await self._store.read_mark("contacts")).get("version")
        if version == self._contacts_version:
            return
        contacts = [as_contact(one) async for one in self._store.contacts.find({})]
        self._directory = Directory(contacts)
        self._people = {contact.person: contact for contact in reversed(contacts)}
        self._contacts_version = version

    def _rule(self, stored: Document) -> tuple[Plan, Alerts, AlertRule] | None:
        """The newest words of an alert; None when the plan has it no longer."""
        if stored["plan"] not in self._watch.picture.plans:
            return None
        plan = self._watch.picture.newest(stored["plan"])
        rules = plan.alerts.rules if plan.alerts else ()
        rule = next((r for r in rules if r.code == stored["rule"]), None)
        return None if rule is None or plan.alerts is None else (plan, plan.alerts, rule)

    async def route(self, now: datetime) -> None:
        """New occasions become notices, one for each person."""
        while occasions := await self._store.waiting_occasions("new"):
            notices: list[Document] = []
            for occasion in occasions:
                notices += self._notices_of(occasion, now)
            await self._store.add_notices(notices)
            await self._start_escalations(occasions, now)
            await self._store.done_with((o["_id"] for o in occasions), "new")

    def _notices_of(self, occasion: Document, now: datetime) -> list[Document]:
        found = self._rule(occasion)
        if found is None:
            return [dropped_of(occasion, Dropped.NO_RULE, now)]
        plan, alerts, rule = found
        contacts = self._directory.recipients(plan, rule, occasion["unit"])
        if not contacts:
            return [dropped_of(occasion, Dropped.NO_CONTACT, now)]
        ready = now + timedelta(minutes=alerts.window_minutes)
        reason = Held.WINDOW
        if rule.digest:
            ready, reason = next_digest(alerts, now), Held.DIGEST
        return [
            notice_of(occasion, contact, "alert", now)
            | {"ready_at": ready, "reason": reason, "digest": rule.digest}
            for contact in contacts
        ]

    async def _start_escalations(self, occasions: Iterable[Document], now: datetime) -> None:
        due: dict[str, datetime] = {}
        for occasion in occasions:
            found = self._rule(occasion)
            if found is not None and found[2].escalates:
                plan, alerts, _ = found
                hours = alerts.escalate_after_hours
                due[occasion["_id"]] = after_working_hours(now, hours, alerts, plan.workdays)
        await self._store.start_escalations(due)

    async def route_retractions(self, now: datetime) -> None:
        """What turned out wrong: what waits is dropped, who was told is told so in the same thread."""
        while occasions := await self._store.waiting_occasions("retracted"):
            for occasion in occasions:
                told = await self._told(occasion["_id"])
                drop = {"state": "dropped", "reason": Dropped.RETRACTED}
                await self._store.change_notices(
                    [(n["_id"], drop) for n in told if n["state"] == "waiting"]
                )
                if not told:
                    untold = dropped_of(occasion, Dropped.TAKEN_BACK_UNTOLD, now)
                    await self._store.add_notices([untold])
                await self._store.add_notices(
                    [follow_up(n, "retraction", now) for n in told if n["state"] in TOLD]
                )
            await self._store.done_with((o["_id"] for o in occasions), "retracted")

    async def _told(self, occasion: str) -> list[Document]:
        wanted = {"occasion": occasion, "form": "alert"}
        return await self._store.notices.find(wanted).to_list(None)

    async def route_acknowledgements(self, now: datetime) -> None:
        """Somebody took it up: those who were told too are told."""
        found = await self._store.occasions.find({"acknowledgement": "new"}).to_list(100)
        for occasion in found:
            told = await self._told(occasion["_id"])
            others = [n for n in told if n["person"] != occasion["acknowledged_by"]]
            drop = {"state": "dropped", "reason": Dropped.TAKEN_UP}
            await self._store.change_notices(
                [(n["_id"], drop) for n in others if n["state"] == "waiting"]
            )
            await self._store.add_notices(
                [follow_up(n, "handled", now) for n in others if n["state"] in TOLD]
            )
            await self._store.occasions.update_one(
                {"_id": occasion["_id"]}, {"$set": {"acknowledgement": "done"}}
            )

    async def escalate(self, now: datetime) -> None:
        """What nobody acknowledged in time goes to the next one of the chain."""
        due = {"escalate_at": {"$lte": now}}
        for occasion in await self._store.occasions.find(due).to_list(1_000):
            found = self._rule(occasion)
            over = (
                occasion.get("acknowledgement")
                or occasion["retracted_at"] is not None
                or occasion.get("over_at") is not None  # done, or overtaken by a later stage
            )
            if found is None or over or self._done(occasion):
                await self._escalate_again(occasion, None, occasion["level"])
                continue
            plan, alerts, rule = found
            told = {n["person"] for n in await self._told(occasion["_id"])}
            level, contacts = occasion["level"], list[Contact]()
            while level < len(alerts.chain) and not contacts:
                role = alerts.chain[level]
                level += 1
                reached = self._directory.recipients(plan, rule, occasion["unit"], [role])
                contacts = [c for c in reached if c.person not in told]
            await self._store.add_notices(
                [
                    notice_of(occasion, c, "alert", now)
                    | {"reason": Held.WINDOW, "digest": False, "level": level}
                    for c in contacts
                ]
            )
            hours = alerts.escalate_after_hours
            again = after_working_hours(now, hours, alerts, plan.workdays)
            await self._escalate_again(
                occasion, again if contacts and level < len(alerts.chain) else None, level
            )

    async def _escalate_again(
        self, occasion: Document, at: datetime | None, level: int
    ) -> None:
        await self._store.occasions.update_one(
            {"_id": occasion["_id"]}, {"$set": {"escalate_at": at, "level": level}}
        )

    def _done(self, occasion: Document) -> bool:
        """What was owed came after all: nobody needs to be asked for it any more."""
        thread = occasion["thread"]
        if thread.partition("|")[0] not in OWED:
            return False
        owed = self._watch.picture.owed(thread)
        return owed is None or owed.done_on is not None

    async def release(self, now: datetime) -> None:
        """Notices whose waiting is over become mails, or are dropped, or wait longer, each with its reason."""
        ready = await self._store.ready_notices(now)
        if not ready:
            return
        silences = await self._store.active_silences(now)
        unsent = await self._store.unsent({n["reply_to"] for n in ready if n.get("reply_to")})
        held = {"ready_at": now + timedelta(minutes=1), "reason": Held.ORIGINAL}
        changes: list[tuple[str, Document]] = [
            (n["_id"], held) for n in ready if n.get("reply_to") in unsent
        ]
        ready = [n for n in ready if n.get("reply_to") not in unsent]
        going = [n for n in ready if self._passes(n, silences, now, changes)]
        letters = grouped(going)
        day = local_date(now).isoformat()
        sent = await self._store.mails_today([letter.person for letter in letters], day)
        mails = []
        for letter in letters:
            waits = self._over_budget(letter, sent, now)
            if waits is not None:
                changes += [(n["_id"], waits) for n in letter.notices]
                continue
            sent[letter.person] = sent.get(letter.person, 0) + (not letter.digest)
            mails.append(letter)
        written = await self._write(mails, day, now)
        if written:
            await self._store.add_mails(written)
            await self._store.adopt_mails()
        await self._store.change_notices(changes)

    def _passes(
        self,
        notice: Document,
        silences: list[Document],
        now: datetime,
        changes: list[tuple[str, Document]],
    ) -> bool:
        found = self._rule(notice)
        why: Dropped | None = None
        if found is None:
            why = Dropped.NO_RULE
        elif notice["person"] not in self._people:
            why = Dropped.NO_CONTACT
        elif notice["form"] == "alert":
            why = self._needless(notice, found[2]) or self._muted(
                notice, found[2], silences, now
            )
        if why is not None:
            DROPPED.labels(why).inc()
            changes.append((notice["_id"], {"state": "dropped", "reason": why}))
            return False
        if found is not None and (until := quiet_until(found[1], now)) is not None:
            changes.append((notice["_id"], {"ready_at": until, "reason": Held.QUIET}))
            return False
        return True

    def _needless(self, notice: Document, rule: AlertRule) -> Dropped | None:
        """Whether what it asks for was done while it waited; what is told of late things that count stays."""
        stays = rule.even_if_done or rule.when is None
        done = not stays and self._done({"thread": notice.get("thread", "")})
        return Dropped.DONE if done else None

    def _muted(
        self, notice: Document, rule: AlertRule, silences: list[Document], now: datetime
    ) -> Dropped | None:
        if silenced_by(silences, notice["unit"], notice["rule"]) is not None:
            return Dropped.SILENCED
        plan, unit, month = notice["plan"], notice["unit"], notice["month"]
        today = local_date(now)
        excluded = unit != "" and self._watch.excluded(plan, unit, today)
        in_month = excluded and self._watch.excluded(plan, unit, today, month)
        muted = mutes(rule, month, excluded=excluded, excluded_in_month=in_month)
        return Dropped.EXCLUDED if muted else None

    def _over_budget(
        self, letter: Letter, sent: Mapping[str, int], now: datetime
    ) -> Document | None:
        found = self._rule(letter.notices[0])
        if found is None:
            return None
        alerts = found[1]
        if not over_budget(letter, sent.get(letter.person, 0), alerts.budget_per_day):
            return None
        return {"ready_at": next_digest(alerts, now), "reason": Held.BUDGET, "digest": True}

    async def _write(self, letters: list[Letter], day: str, now: datetime) -> list[Document]:
        numbers = [n["occasion"] for letter in letters for n in letter.notices]
        found = self._store.occasions.find({"_id": {"$in": numbers}})
        occasions = {o["_id"]: o async for o in found}
        written = []
        for letter in letters:
            contact = self._people[letter.person]
            written.append(self._mail(letter, contact, occasions, day, now))
            await asyncio.sleep(0)  # thousands take a while; mails go out meanwhile
        return written

    def _mail(
        self,
        letter: Letter,
        contact: Contact,
        occasions: Mapping[str, Document],
        day: str,
        now: datetime,
    ) -> Document:
        items, about = [], ("", "")
        for notice in letter.notices:
            found = self._rule(notice)
            if found is None:
                continue
            wording = Wording(found[0], self._tools.words[contact.lang])
            items.append(self._item(notice, occasions[notice["occasion"]], wording, found[2]))
            about = wording.about()
        mail = self._tools.composer.write(letter, contact, items, about)
        of = [occasions[n["occasion"]].get("traces", ()) for n in letter.notices]
        return {
            "_id": message_id(letter, self._tools.composer.domain),
            "person": letter.person,
            "to": contact.email,
            "channel": contact.channel,
            "subject": subject_of(mail),
            "notices": [n["_id"] for n in letter.notices],
            "severity": letter.severity,
            "digest": letter.digest,
            "reply_to": letter.reply_to,
            "on": day,
            "made_at": now,
            "made_ms": wall_milliseconds(),
            "next_try_ms": 0,
            "attempts": 0,
            "state": "queued",
            "step": "new",
            "answer": "",
            "body": zlib.compress(mail.as_bytes()),
            "traces": list(together(of)),
        }

    def _item(
        self, notice: Document, occasion: Document, wording: Wording, rule: AlertRule
    ) -> Item:
        base = self._tools.settings.public_url.rstrip("/")
        alert = wording.alert(rule, occasion, notice["role"])
        asked = rule.escalates and notice["form"] == "alert"
        link = f"{base}/alerts/ack/{self._tools.signer.sign(notice['_id'])}" if asked else ""
        return Item(
            alert, notice["form"], base + alert.path, link, wording.note(notice, occasion)
        )
