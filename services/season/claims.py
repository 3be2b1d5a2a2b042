"""What units claim in a simulated season, first declared and then mostly verified."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from random import Random

from contracts.calendar import last_day_of, local_date, month_of, quarter_of
from contracts.plan import Capped, Figure, Indicator, Part, Plan, Tally
from services.season.players import (
    Content,
    Happening,
    Player,
    applying,
    happens,
    later,
    transported,
    working_hour,
)

SOURCE = "thidua.sample"
PRODUCTS = (
    "Mô hình “Chợ không dùng tiền mặt”",
    "Mô hình “Cà phê chuyển đổi số” sáng thứ bảy",
    "Mô hình “Ấp số”: nhóm trao đổi và phản ánh trực tuyến của ấp",
    "Điểm hỗ trợ nộp hồ sơ trực tuyến tại nhà văn hóa ấp",
    "Khóm (dứa) tươi bán trên sàn thương mại điện tử",
    "Trà mãng cầu đạt OCOP, truy xuất nguồn gốc bằng mã QR",
    "Chả cá thát lát tẩm gia vị trên sàn Voso",
    "Bản đồ số các cơ sở kinh doanh và điểm du lịch",
)
"""What units show in a quarter; invented, or common in such places."""


def claims_of(player: Player) -> Iterator[Happening]:
    """Everything that a unit claims; a kind of fact that feeds several parts is told once."""
    told: set[str] = set()
    for indicator in applying(player.bloc, player.unit):
        for part in indicator.parts:
            kind = _SHARED.get(part.measure.kind) or getattr(part.measure, "of", None)
            if kind in told:
                continue
            if kind is not None and kind != "item.recorded":
                told.add(kind)
            yield from _of_part(player, indicator, part)


_SHARED = {"accounts": "activity.reported", "activity": "activity.reported"}


def _of_part(player: Player, indicator: Indicator, part: Part) -> Iterator[Happening]:
    measure = part.measure
    match measure.kind:
        case "figure" | "tally":
            yield from _numbers(player, indicator, part)
        case "capped":
            yield from _capped(player, indicator, measure)
        case "checklist":
            codes = [item.code for item in measure.items]
            yield from _items(player, indicator, codes)
        case "deduction":
            yield from _incidents(player, indicator, measure.list_item)
        case "reports":
            yield from _reports(player)
        case "accounts" | "activity":
            yield from _activity(player, indicator)
        case "ratio" | "count" if measure.of == "feedback.recorded":
            yield from _feedback(player, indicator)
        case _:
            """Dossiers are told of elsewhere."""


@dataclass(slots=True)
class _Fact:
    """A claim being told: its versions so far."""

    player: Player
    kind: str
    subject: str
    fields: Content
    luck: Random
    told: list[Happening] = field(default_factory=list)

    def say(self, at: datetime, state: str, **changed: object) -> None:
        """One more version; it arrives within minutes."""
        self.fields |= changed
        version = len(self.told) + 1
        event = {
            "source": SOURCE,
            "id": f"{self.subject}/{version}",
            "type": self.kind,
            "subject": self.subject,
            "version": version,
            "unit": self.player.unit.code,
            "state": state,
            "occurred_at": at.isoformat(),
            "plan": self.player.plan.id,
            **self.fields,
        }
        self.told.append((later(self.luck, at, 0, 0.01), event))


def _fact(player: Player, kind: str, key: str, **fields: object) -> _Fact:
    subject = f"{player.unit.code}:{key}"
    return _Fact(player, kind, subject, fields, player.luck((kind, key)))


_FATES = {"verified": 89, "mended": 5, "sent back": 2, "rejected": 2, "waiting": 2}
"""What becomes of a claim, and how often in a hundred."""


def _judged(fact: _Fact, at: datetime, better: Content | None = None) -> Iterator[Happening]:
    """Declared, then mostly verified; some are mended or sent back first, some wait on."""
    luck = fact.luck
    (fate,) = luck.choices(list(_FATES), list(_FATES.values()))
    fact.say(at, "declared")
    if fate == "mended" and better:
        fact.say(later(luck, at, 0.1, 0.9), "declared", **better)
    decided = later(luck, at, 1, 5)
    if fate == "sent back":
        fact.say(decided, "rejected")
        fact.say(later(luck, decided, 0.5, 2), "declared")
        decided = later(luck, decided, 2, 5)
    if fate != "waiting":
        fact.say(decided, "rejected" if fate == "rejected" else "verified")
    yield from transported(fact.told, luck)


def _periods(plan: Plan, frequency: str) -> dict[str, str]:
    """Period -> the month that tells of it; what is due once a year is told of each quarter."""
    if frequency in ("week", "month"):
        return {month: month for month in plan.months}
    return {quarter_of(month): month for month in plan.months}


def _numbers(player: Player, indicator: Indicator, part: Part) -> Iterator[Happening]:
    """Figures and tallies of each period, told near its end."""
    luck = player.luck((indicator.code, part.code))
    whole = luck.randint(40, 900)
    for period, month in _periods(player.plan, indicator.frequency).items():
        at = working_hour(luck, last_day_of(month) - timedelta(days=luck.randint(2, 8)))
        rate = player.rate(indicator.code + part.code, month)
        fields: Content = {"indicator": indicator.code, "part": part.code, "period": period}
        key = f"{indicator.code}:{part.code}:{period}"
        if isinstance(part.measure, Tally):
            value = int(rate * part.measure.wanted * 1.3)
            fact = _fact(player, "tally.reported", key, **fields, value=value)
            yield from _judged(fact, at, {"value": value + 1})
        elif isinstance(part.measure, Figure):
            if part.over == "pool":
                whole = luck.randint(8, 90) if indicator.frequency == "month" else 3
            top = _top(luck, part, rate, whole)
            fields |= {"numerator": top, "denominator": whole}
            fact = _fact(player, "figure.reported", key, **fields)
            yield from _judged(fact, at, {"numerator": max(0, top - 1)})


def _top(luck: Random, part: Part, rate: float, whole: int) -> int:
    """A good unit gets just above the target; a rare slip exceeds the whole."""
    if happens(luck, 0.004):
        return whole + luck.randint(1, 3)
    target = float(getattr(part.score, "target", 1))
    return min(whole, round(whole * rate * (target + (1 - target) * 0.3)))


def _capped(player: Player, indicator: Indicator, measure: Capped) -> Iterator[Happening]:
    """Bulletins, articles, products: mostly what is asked, sometimes fewer, sometimes more."""
    margin = 0 if measure.per == "week" else 7
    for key, first, last in _buckets(player.plan, measure.per):
        luck = player.luck((indicator.code, key))
        rate = player.rate(indicator.code, month_of(last))
        count = sum(happens(luck, rate) for _ in range(measure.cap))
        count += luck.choice([0, 0, 0, 0, 1, 2]) if count else 0
        for number in range(count):
            day = first + timedelta(days=luck.randint(0, (last - first).days - margin))
            name = f"{indicator.code}:{key}:{number + 1}"
            yield from _capped_fact(player, measure.of, indicator.code, name, day)


def _buckets(plan: Plan, per: str) -> Iterator[tuple[str, date, date]]:
    """(name, first day, last day) of the competition's weeks, months or quarters."""
    if per == "week":
        monday = plan.starts_on + timedelta(days=-plan.starts_on.weekday() % 7)
        while monday <= plan.ends_on:
            last = min(monday + timedelta(days=6), plan.ends_on)
            yield monday.isoformat(), monday, last
            monday += timedelta(days=7)
        return
    groups: dict[str, list[str]] = {}
    for month in plan.months:
        groups.setdefault(quarter_of(month) if per == "quarter" else month, []).append(month)
    for name, months in groups.items():
        yield name, date.fromisoformat(f"{months[0]}-01"), last_day_of(months[-1])


def _capped_fact(
    player: Player, kind: str, code: str, name: str, day: date
) -> Iterator[Happening]:
    luck = player.luck((kind, name))
    at = working_hour(luck, day)
    if kind == "article.recorded":
        yield from _article(player, name, at)
    elif kind == "bulletin.broadcast":
        fact = _fact(player, kind, name, on=day.isoformat())
        yield from _judged(fact, at)
    elif kind == "item.recorded":
        said: Content = {
            "indicator": code,
            "item": name.replace(":", "-"),
            "done": True,
            "on": day.isoformat(),
            "name": luck.choice(PRODUCTS),
        }
        fact = _fact(player, kind, name, **said)
        yield from _judged(fact, at)


def _article(player: Player, name: str, at: datetime) -> Iterator[Happening]:
    """Sent, then approved and published within a week; now and then it is not published."""
    fact = _fact(player, "article.recorded", name, sent_on=local_date(at).isoformat())
    luck = fact.luck
    fact.say(at, "declared")
    decided = later(luck, at, 1, 4)
    if happens(luck, 0.02):
        fact.say(decided, "rejected", approved=False)
    else:
        published = later(luck, decided, 0.2, 2)
        fact.say(decided, "declared", approved=True)
        fact.say(published, "verified", published_on=local_date(published).isoformat())
    yield from transported(fact.told, luck)


def _items(player: Player, indicator: Indicator, codes: list[str]) -> Iterator[Happening]:
    """The things of a checklist, one after the other over the season; some are never done."""
    plan = player.plan
    days = (plan.ends_on - plan.starts_on).days
    for number, code in enumerate(codes):
        luck = player.luck((indicator.code, code))
        share = luck.betavariate(1.5, 3 + 4 * player.start) + 0.1 * number / len(codes)
        day = plan.starts_on + timedelta(days=min(days - 10, round(days * share)))
        if not happens(luck, player.rate(indicator.code, month_of(day)) + 0.06):
            continue
        yield from _item(player, indicator.code, code, day)


def _item(player: Player, indicator: str, code: str, day: date) -> Iterator[Happening]:
    fact = _fact(
        player,
        "item.recorded",
        f"{indicator}:{code}",
        indicator=indicator,
        item=code,
        done=True,
        on=day.isoformat(),
    )
    yield from _judged(fact, working_hour(fact.luck, day))


def _incidents(player: Player, indicator: Indicator, list_item: str) -> Iterator[Happening]:
    """The list is sent early; weak units have an incident or two."""
    plan, luck = player.plan, player.luck(indicator.code)
    yield from _item(
        player, indicator.code, list_item, plan.starts_on + timedelta(days=luck.randint(5, 40))
    )
    for month in plan.months:
        if not happens(luck, 0.5 * (1 - player.rate(indicator.code, month))):
            continue
        day = date.fromisoformat(f"{month}-{luck.randint(1, 28):02d}")
        fact = _fact(
            player,
            "incident.recorded",
            f"{indicator.code}:{month}",
            indicator=indicator.code,
            on=day.isoformat(),
        )
        yield from _judged(fact, working_hour(fact.luck, day))


def _reports(player: Player) -> Iterator[Happening]:
    """The monthly report, in the week before it is due, or as late as the temper says."""
    for month in player.plan.months:
        luck = player.luck(("report", month))
        due = player.plan.report_due_on(month)
        late = player.late_reports.get(month)
        day = due + timedelta(days=late or -luck.randint(0, 6))
        at = working_hour(luck, day)
        fact = _fact(
            player,
            "report.received",
            f"report:{month}",
            month=month,
            received_at=at.isoformat(),
        )
        fact.say(at, "declared")
        fact.say(later(luck, at, 0.2, 3), "verified")
        yield from transported(fact.told, luck, delayed=0)


def _activity(player: Player, indicator: Indicator) -> Iterator[Happening]:
    """What each person of the roster did, told at the end of the month."""
    staff = player.luck("staff").randint(8, 16)
    for month in player.plan.months:
        rate = player.rate(indicator.code, month)
        for number in range(1, staff + 1):
            person = f"NV-{number:02d}"
            luck = player.luck((person, month))
            account = number <= round(staff * min(1, rate + 0.1))
            filed = sum(happens(luck, rate) for _ in range(4)) if account else 0
            fact = _fact(
                player,
                "activity.reported",
                f"{person}:{month}",
                month=month,
                person=person,
                account=account,
                dossiers=filed,
            )
            day = last_day_of(month) - timedelta(days=luck.randint(0, 4))
            yield from _judged(fact, working_hour(luck, day), {"dossiers": filed + 1})


def _feedback(player: Player, indicator: Indicator) -> Iterator[Happening]:
    """Feedback from residents, a few a month, mostly answered in time; some units get none."""
    if happens(player.luck("quiet"), 0.1):
        return
    for month in player.plan.months:
        luck = player.luck((indicator.code, month))
        for number in range(1, luck.randint(1, 6) + 1):
            day = date.fromisoformat(f"{month}-{luck.randint(1, 28):02d}")
            in_time = happens(luck, player.rate(indicator.code, month) + 0.05)
            answered = day + timedelta(
                days=luck.randint(1, 7) if in_time else luck.randint(8, 12)
            )
            fact = _fact(
                player,
                "feedback.recorded",
                f"feedback:{month}:{number}",
                received_on=day.isoformat(),
                due_on=(day + timedelta(days=7)).isoformat(),
            )
            fact.say(working_hour(luck, day), "declared")
            at = working_hour(luck, answered)
            fact.say(at, "verified", answered_on=answered.isoformat())
            yield from transported(fact.told, luck)
