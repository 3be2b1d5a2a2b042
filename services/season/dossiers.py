"""What a portal tells in a simulated season: dossiers from filing to return, some corrected."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from random import Random

from contracts.calendar import local_date, month_of
from contracts.plan import Plan, Procedure
from services.season.players import (
    Content,
    Happening,
    Player,
    chance,
    handles,
    happens,
    later,
    moment,
    transported,
    working_hour,
)

PORTAL = "dvc.sample"
_ONLINE_LEVELS = ("full", "partial")


def dossiers_of(
    plan: Plan, seed: int, players: Iterable[Player], count: int
) -> Iterator[Happening]:
    """The life of each dossier; the better a unit, the more dossiers come to it."""
    handling = [p for p in players if handles(p.bloc, p.unit)]
    if not handling or not plan.catalogue:
        return
    weights = [_weight(player) for player in handling]
    broken = {player.unit.code: dict(player.overdue) for player in handling}
    luck = chance(seed, "dossiers")
    days = (plan.ends_on - plan.starts_on).days
    for number in range(1, count + 1):
        player = luck.choices(handling, weights)[0]
        day = plan.starts_on + timedelta(days=luck.randint(0, days))
        at = working_hour(luck, day)
        life = _Life(player, number, at, chance(seed, "dossier", number))
        yield from life.told_by(handling, broken[player.unit.code])


def _weight(player: Player) -> float:
    """Units that owe more online dossiers get more of them."""
    quotas = [
        part.measure.quota_per_month
        for indicator in player.bloc.indicators
        for part in indicator.parts
        if part.measure.kind == "count"
    ]
    return max(quotas, default=20) * (player.start + player.growth) ** 2


class _Life:
    """One dossier, from its filing to its return."""

    def __init__(self, player: Player, number: int, at: datetime, luck: Random) -> None:
        self.player, self.luck, self.at = player, luck, at
        self.told: list[Happening] = []
        self.procedure = _procedure(player, luck)
        online = self._online(month_of(local_date(at)))
        promised = local_date(at) + timedelta(days=luck.choice([3, 5, 7, 10, 15]))
        self.state: Content = {
            "source": PORTAL,
            "type": "dossier.recorded",
            "dossier": f"H30.99-{at:%y%m%d}-{number:05d}",
            "unit": player.unit.code,
            "procedure": self.procedure.code,
            "status": "registered",
            "channel": "online" if online else luck.choice(["counter", "counter", "post"]),
            "service_level": self.procedure.level,
            "received_at": at.isoformat(),
            "due_at": moment(promised, 17).isoformat(),
            "finished_at": None,
            "fee_due": self.procedure.fee_due,
            "paid_online": None,
            "digitised": None,
            "satisfaction": None,
        }
        self.due = promised

    def _online(self, month: str) -> bool:
        """Each unit has procedures for which it hardly ever gets an online dossier."""
        player, code = self.player, self.procedure.code
        used = happens(player.luck(("procedure", code)), player.rate("procedures", month) + 0.1)
        return used and happens(self.luck, 0.2 + 0.72 * player.rate("online", month))

    def say(self, at: datetime, status: str, **changed: object) -> None:
        """One more version, seconds to minutes on its way."""
        self.at = at
        self.state |= {"status": status, **changed}
        version = len(self.told) + 1
        told = {"id": f"{self.state['dossier']}/{version}", "version": version}
        event = {**self.state, **told, "occurred_at": at.isoformat()}
        self.told.append((later(self.luck, at, 0, 0.01), event))

    def told_by(self, others: list[Player], broken: dict[str, int]) -> Iterator[Happening]:
        """All versions as they arrive."""
        luck = self.luck
        if self.state["channel"] == "online":
            self.say(self.at, "registered")
        if happens(luck, 0.03):
            self.say(later(luck, self.at, 0.02, 0.8), luck.choice(["refused", "withdrawn"]))
            return transported(self.told, luck)
        self.say(later(luck, self.at, 0.01, 0.4), "accepted")
        if happens(luck, 0.6):
            self.say(later(luck, self.at, 0.05, 0.8), "processing")
        settled = len(self.told)
        if happens(luck, 0.08):
            self._supplement()
        self._finish(others, broken)
        return transported(self.told, luck, settled)

    def _supplement(self) -> None:
        """Papers are missing: the promised date moves."""
        self.due += timedelta(days=self.luck.choice([3, 5, 7]))
        due_at = moment(self.due, 17).isoformat()
        self.say(later(self.luck, self.at, 0.02, 0.3), "supplement", due_at=due_at)
        self.say(later(self.luck, self.at, 0.1, 0.8), "processing")

    def _finish(self, others: list[Player], broken: dict[str, int]) -> None:
        """Finished in time, unless the unit breaks a promise in this month; then returned."""
        month = month_of(self.due)
        tardy = broken.get(month, 0) > 0 and self.state["service_level"] in _ONLINE_LEVELS
        if tardy:
            broken[month] -= 1
            finished = working_hour(
                self.luck, self.due + timedelta(days=self.luck.randint(1, 3))
            )
        else:
            left = (moment(self.due, 16.5) - self.at) / timedelta(days=1)
            finished = later(self.luck, self.at, left * 0.2, left)
        self.say(
            finished, "finished", finished_at=finished.isoformat(), **self._outcome(finished)
        )
        if happens(self.luck, 0.7):
            self.say(later(self.luck, finished, 0.05, 2), "returned")
        if not tardy and happens(self.luck, 0.05):
            self._correct(others)

    def _outcome(self, finished: datetime) -> Content:
        """Paid online or not, digitised or not, and what the citizen thought of it."""
        luck, player = self.luck, self.player
        month = min(month_of(local_date(finished)), player.plan.months[-1])
        online = self.state["channel"] == "online"
        paid = happens(luck, player.rate("paid", month) * (0.72 if online else 0.1))
        pleased = happens(luck, 0.92 + 0.08 * player.rate("pleased", month))
        words = luck.choice(["satisfied", "very_satisfied"]) if pleased else "dissatisfied"
        return {
            "paid_online": paid if self.procedure.fee_due else None,
            "digitised": happens(luck, player.rate("digitised", month) * 0.92),
            "satisfaction": words if happens(luck, 0.6) else None,
        }

    def _correct(self, others: list[Player]) -> None:
        """The source mends an error: channel, digitisation, day of receipt, or the unit."""
        received = datetime.fromisoformat(self.state["received_at"])
        mended: Content = self.luck.choice(
            [
                {"channel": "counter" if self.state["channel"] == "online" else "online"},
                {"digitised": not self.state["digitised"]},
                {"received_at": later(self.luck, received, -6, 0).isoformat()},
                {"unit": self.luck.choice(others).unit.code},
            ]
        )
        self.say(later(self.luck, self.at, 0.1, 6), self.state["status"], **mended)


def _procedure(player: Player, luck: Random) -> Procedure:
    code = player.unit.code
    offered = [p for p in player.plan.catalogue if p.units is None or code in p.units]
    return luck.choice(offered or player.plan.catalogue)
