"""Appeals and excuses: lodged in time, answered with a reason, and with their effect on the board written down."""

from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, Protocol

from contracts.calendar import last_day_of, local_date
from services.intake.workspace.application import Workspace, letter, repeat
from services.intake.workspace.domain.appeals import (
    About,
    Appeal,
    Effect,
    answer_due_on,
    lodge,
    revoke,
    settle,
)
from services.intake.workspace.domain.declaring import Place
from services.intake.workspace.domain.report import Outgoing, Report, ReportError
from services.intake.workspace.domain.review import Ruling, judged
from services.intake.workspace.reviewing import own_units
from services.runtime.auth import Principal
from services.runtime.clock import wall_milliseconds

SETTLED_SECONDS = 5
"""The board has surely moved by then; the effect is written down after it."""


@dataclass(frozen=True, slots=True)
class Excluded:
    """An exclusion that holds for a unit now."""

    rule: str
    month: str
    count: int


@dataclass(frozen=True, slots=True)
class UnitStanding:
    """What the board says of a unit, in ten-thousandths of points."""

    points: int
    verified_points: int
    rank: int
    eligible: bool
    exclusions: tuple[Excluded, ...]
    indicators: dict[str, tuple[int, int, int]]
    """Indicator -> (points, verified points, full points)."""

    @property
    def effect(self) -> Effect:
        """What an appeal may change."""
        return Effect(
            points=self.points,
            verified_points=self.verified_points,
            rank=self.rank,
            eligible=self.eligible,
        )


class Standing(Protocol):
    """Where the points shown beside the forms come from."""

    def of(self, plan: str, unit: str, period: str) -> UnitStanding | None:
        """A unit's line on the board; None when there is none yet."""


@dataclass(frozen=True, slots=True)
class Plea:
    """What a unit contests, in its words."""

    about: About
    code: str
    words: str


class Appeals:
    """Everything about appeals."""

    def __init__(self, workspace: Workspace, standing: Standing) -> None:
        self.workspace = workspace
        self.standing = standing
        self._settled: dict[str, int] = {}

    async def lodge(self, place: Place, plea: Plea, by: str) -> Appeal:
        """A unit contests a decision or an exclusion.

        Raises:
            ReportError: there is nothing to contest, it is too late, or it was contested already.
        """
        store, step = self.workspace.store, self.workspace.step(by)
        known = await store.find_appeals(plan=place.plan.id, unit=place.unit)
        same = [
            a
            for a in known
            if (a.month, a.about, a.code) == (place.month, plea.about, plea.code)
        ]
        if any(a.state == "lodged" for a in same):
            raise ReportError("appealed_already", plea.code)
        since = await self._since(place, plea)
        appeal = Appeal(
            id=f"kn-{place.unit}-{len(known) + 1}",
            plan=place.plan.id,
            unit=place.unit,
            month=place.month,
            about=plea.about,
            code=plea.code,
            words=plea.words,
            by=by,
            at=step.at,
            answer_due_on=answer_due_on(place.plan, step.today),
        )
        outgoing = lodge(place.plan, appeal, since, step.today)
        return await self._keep(appeal, outgoing, by, "appeal.lodge")

    async def _since(self, place: Place, plea: Plea) -> date:
        """The day from which the time to appeal runs: of the decision, or the last one of the exclusion's month."""
        if plea.about == "exclusion":
            if not self._excluded(place, plea.code):
                raise ReportError("no_exclusion", plea.code)
            return last_day_of(place.month)
        report = await self.workspace.report(place)
        item = report.items.get(plea.code)
        if item is None or item.state not in ("rejected", "corrected", "returned", "accepted"):
            raise ReportError("no_decision", plea.code)
        return local_date(item.last.at)

    def _excluded(self, place: Place, rule: str) -> bool:
        now = self.standing.of(place.plan.id, place.unit, str(place.plan.ends_on.year))
        held = () if now is None else now.exclusions
        return any((e.rule, e.month) == (rule, place.month) for e in held)

    async def excuse(
        self, place: Place, rule: str, reason: str, words: str, who: Principal
    ) -> Appeal:
        """The office itself lifts an exclusion, with a reason.

        Raises:
            ReportError: there is no such exclusion, it is the reviewer's own unit, or no reason is given.
        """
        self._check_not_own(place.unit, who)
        if not self._excluded(place, rule):
            raise ReportError("no_exclusion", rule)
        step = self.workspace.step(who.subject)
        known = await self.workspace.store.find_appeals(plan=place.plan.id, unit=place.unit)
        made = Appeal(
            id=f"kn-{place.unit}-{len(known) + 1}",
            plan=place.plan.id,
            unit=place.unit,
            month=place.month,
            about="exclusion",
            code=rule,
            words=words,
            by=who.subject,
            at=step.at,
            answer_due_on=step.today,
            excuse=True,
            before=self._effect(place.plan.id, place.unit),
        )
        decided, outgoing = settle(made, "upheld", words, reason, step)
        kept = await self._keep(decided, outgoing, who.subject, "exclusion.excuse")
        self._settled[kept.id] = wall_milliseconds()
        return kept

    @staticmethod
    def _check_not_own(unit: str, who: Principal) -> None:
        if unit in own_units(who):
            raise ReportError("own_unit", unit)

    async def decide(
        self,
        key: str,
        decision: Literal["upheld", "dismissed"],
        answer: str,
        reason: str,
        who: Principal,
    ) -> Appeal:
        """Answer an appeal.

        Raises:
            LookupError: there is none.
            ReportError: it was decided otherwise, it is the reviewer's own unit, or the answer is missing.
        """
        appeal = await self.workspace.store.appeal(key)
        if appeal is None:
            raise LookupError(key)
        self._check_not_own(appeal.unit, who)
        step = self.workspace.step(who.subject)
        decided, outgoing = settle(appeal, decision, answer, reason, step)
        if decided is not appeal:
            decided = decided.model_copy(
                update={"before": self._effect(appeal.plan, appeal.unit)}
            )
            decided = await self._keep(decided, outgoing, who.subject, f"appeal.{decision}")
        await self.carry_out(decided)
        self._settled.setdefault(decided.id, wall_milliseconds())
        return decided

    async def revoke(self, key: str, why: str, who: Principal) -> Appeal:
        """Take the lifting of an exclusion back.

        Raises:
            LookupError: there is no such case.
            ReportError: it lifted nothing, it is the reviewer's own unit, or no reason is given.
        """
        appeal = await self.workspace.store.appeal(key)
        if appeal is None:
            raise LookupError(key)
        self._check_not_own(appeal.unit, who)
        revoked, outgoing = revoke(appeal, why, self.workspace.step(who.subject))
        if revoked is appeal:
            return appeal
        self._settled[appeal.id] = wall_milliseconds()
        before = self._effect(appeal.plan, appeal.unit)
        return await self._keep(
            revoked.model_copy(update={"before": before}),
            outgoing, who.subject, "exclusion.lifting.revoked",
        )  # fmt: skip

    async def carry_out(self, appeal: Appeal) -> None:
        """What an upheld appeal about a line leads to: the item stands as claimed. Harmless when done."""
        if (appeal.state, appeal.about) != ("upheld", "indicator") or appeal.decided_at is None:
            return
        place = self.workspace.place(appeal.plan, appeal.unit, appeal.month)
        duty, reason = self.workspace.duty(place, appeal.code), f"{appeal.id}: {appeal.answer}"
        step = self.workspace.step(appeal.decided_by)

        def change(report: Report) -> tuple[Report, Outgoing]:
            item = report.items[appeal.code]
            if any(told.reason == reason for told in item.history):
                return report, Outgoing()
            return judged(report, place, duty, Ruling("accepted", item.version, reason), step)

        await self.workspace.change(place, change, None)

    def _effect(self, plan: str, unit: str) -> Effect | None:
        period = str(self.workspace.plans.newest(plan).ends_on.year)
        now = self.standing.of(plan, unit, period)
        return None if now is None else now.effect

    async def _keep(self, appeal: Appeal, outgoing: Outgoing, by: str, action: str) -> Appeal:
        store = self.workspace.store
        letters: list[dict[str, Any]] = [letter(f"{appeal.id}:{appeal.revision + 1}", outgoing)]
        await self.workspace.audit.record(by, action, appeal.id, reason=appeal.answer)
        if not await store.save_appeal(appeal, letters):
            raise ReportError("changed_meanwhile", appeal.id)
        await self.workspace.deliver(store.appeals, appeal.id, letters)
        return await store.appeal(appeal.id) or appeal

    async def keep_following(self) -> None:
        """For ever: finish what a crash left, and write down what upheld appeals changed on the board."""
        await repeat(self.follow, 1)

    async def follow(self) -> None:
        """Write down the effect of decisions that the board has had the time to show."""
        moving = {"$in": ["upheld", "revoked"]}
        for appeal in await self.workspace.store.find_appeals(after=None, state=moving):
            await self.carry_out(appeal)
            since = self._settled.setdefault(appeal.id, wall_milliseconds())
            if wall_milliseconds() - since < SETTLED_SECONDS * 1000:
                continue
            after = self._effect(appeal.plan, appeal.unit)
            if after is None:
                continue
            seen = appeal.model_copy(update={"after": after})
            await self.workspace.store.save_appeal(seen, [])
