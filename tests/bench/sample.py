"""Made-up dossier events, a million in seconds: about four versions a dossier, corrections, repeats, late ones.

`python -m tests.bench.sample write '{"path": …, "events_wanted": …, "units": …}'` writes them as JSON lines.
Nobody in it is real.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import NamedTuple

from contracts.plan import Plan, Procedure, Text, Unit
from services.plan_files import read_plan
from tests.bench.parts import main_of, part

PLAN_FOLDER = Path(__file__).parents[2] / "deploy/plans/phung-hiep-2023"
BLOC = "commune"
OPEN_DOSSIERS = 200
REPEATED = 0.05
LATE = 0.08
_FIRST_DAY = date(2023, 4, 1)
_DAYS = tuple((_FIRST_DAY + timedelta(days=n)).isoformat() for n in range(500))
_TIMES = tuple(
    f"T{n // 3600:02d}:{n // 60 % 60:02d}:{n % 60:02d}+07:00" for n in range(24 * 3600)
)
_DAY = 24 * 3600
_START = (date(2023, 6, 1) - _FIRST_DAY).days * _DAY + 7 * 3600
_PLEASED = (
    ('"very_satisfied"',) * 30 + ('"satisfied"',) * 18 + ('"dissatisfied"',) + ("null",) * 30
)


def plan_with(units: int) -> Plan:
    """The reference plan; beyond its communes, one of its own with its communes and invented ones."""
    plan = read_plan(PLAN_FOLDER)
    communes = plan.units_of(BLOC)
    if units <= len(communes):
        return plan
    invented = [
        Unit(code=code, name=Text(vi=f"Xã {code}", en=f"Commune {code}"), bloc=BLOC)
        for code in (f"9{n:05d}" for n in range(units - len(communes)))
    ]
    return plan.model_copy(
        update={
            "id": f"bench-{units}",
            "blocs": [bloc for bloc in plan.blocs if bloc.code == BLOC],
            "units": [*communes, *invented],
            "reporting": plan.reporting.model_copy(update={"blocs": [BLOC]}),
        }
    )


def unit_codes(plan: Plan, units: int) -> list[str]:
    """The communes that receive dossiers."""
    return [unit.code for unit in plan.units_of(BLOC)][:units]


def instant(seconds: int) -> str:
    """ISO 8601 in Việt Nam."""
    return _DAYS[seconds // _DAY] + _TIMES[seconds % _DAY]


class _State(NamedTuple):
    unit: str
    status: str
    channel: str
    received: int
    due: int | None
    finished: int | None = None
    paid: str = "null"
    digitised: str = "null"
    satisfaction: str = "null"


class _Maker:
    """Makes dossiers, each with all its versions in order."""

    def __init__(self, seed: int, units: list[str], procedures: list[Procedure]) -> None:
        self._random = Random(seed)
        self._units = units
        self._tardy = {unit: 0.02 if n % 4 == 3 else 0.0003 for n, unit in enumerate(units)}
        self._procedures = [
            (p.code, p.level, "true" if p.fee_due else "false") for p in procedures
        ]
        self._number = 0

    def versions(self) -> list[bytes]:
        """All states of the next dossier, as JSON, oldest first."""
        chance, self._number = self._random.random, self._number + 1
        procedure = self._procedures[int(chance() * len(self._procedures))]
        state = self._begun()
        dossier = f"H30.99-{_DAYS[state.received // _DAY]}-{self._number:07d}"
        moment, version = state.received, 1
        found = [self._line(dossier, procedure, state, version, moment)]
        for _ in range(int(chance() * 5)):
            version += 1 if chance() < 0.75 else 2
            moment += int(3600 * (1 + 90 * chance()))
            state = self._next(state, procedure[2])
            found.append(self._line(dossier, procedure, state, version, moment))
        state = self._ended(state, procedure[2])
        found.append(self._line(dossier, procedure, state, version + 1, moment + 30 * 3600))
        return found

    def _begun(self) -> _State:
        chance = self._random.random
        received = _START + int(210 * _DAY * chance()) + int(8 * 3600 * chance())
        due = None if chance() < 0.04 else received + (1, 3, 5, 10)[int(4 * chance())] * _DAY
        unit = self._units[int(len(self._units) * chance() ** 1.6)]
        channel = "online" if chance() < 0.7 else ("counter", "post")[int(2 * chance())]
        status = "registered" if chance() < 0.1 else "accepted"
        return _State(unit, status, channel, received, due)

    def _next(self, state: _State, fee_due: str) -> _State:
        roll = self._random.random()
        if roll < 0.4:
            return self._finished(state, fee_due)
        if roll < 0.7:
            return self._corrected(state, roll)
        if roll < 0.73 and state.digitised != "null":
            return state._replace(digitised="false" if state.digitised == "true" else "true")
        return state._replace(status="processing", finished=None)

    def _corrected(self, state: _State, roll: float) -> _State:
        if roll < 0.5:
            return state._replace(channel="counter" if state.channel == "online" else "online")
        if roll < 0.65:
            return self._moved(state, roll)
        return state._replace(unit=self._units[int(len(self._units) * (roll - 0.65) * 20)])

    @staticmethod
    def _moved(state: _State, roll: float) -> _State:
        if roll < 0.6 and state.due is not None:
            return state._replace(status="supplement", finished=None, due=state.due + 7 * _DAY)
        return state._replace(received=max(0, state.received - 20 * _DAY))

    def _ended(self, state: _State, fee_due: str) -> _State:
        roll = self._random.random()
        if roll < 0.03:
            gone = ("withdrawn", "refused")[roll < 0.015]
            return state._replace(status=gone, finished=None)
        return self._finished(state, fee_due) if roll < 0.9995 else state

    def _finished(self, state: _State, fee_due: str) -> _State:
        chance = self._random.random
        due = state.received + 5 * _DAY if state.due is None else state.due
        tardy = chance() < self._tardy[state.unit]
        finished = due + (1 if tardy else (-2, -1, 0, 0)[int(4 * chance())]) * _DAY
        return state._replace(
            status=("finished", "returned")[int(2 * chance())],
            finished=max(finished, state.received),
            paid="null" if fee_due == "false" else ("true" if chance() < 0.55 else "false"),
            digitised="true" if chance() < 0.8 else "false",
            satisfaction=_PLEASED[int(len(_PLEASED) * chance())],
        )

    def _line(
        self,
        dossier: str,
        procedure: tuple[str, str, str],
        state: _State,
        version: int,
        moment: int,
    ) -> bytes:
        code, level, fee_due = procedure
        unit, status, channel, received, due, finished, paid, digitised, satisfaction = state
        due_at = "null" if due is None else f'"{instant(due)}"'
        finished_at = "null" if finished is None else f'"{instant(finished)}"'
        return (
            f'{{"source":"dvc.sample","type":"dossier.recorded","dossier":"{dossier}",'
            f'"unit":"{unit}","procedure":"{code}","status":"{status}","channel":"{channel}",'
            f'"service_level":"{level}","received_at":"{instant(received)}","due_at":{due_at},'
            f'"finished_at":{finished_at},"fee_due":{fee_due},"paid_online":{paid},'
            f'"digitised":{digitised},"satisfaction":{satisfaction},'
            f'"id":"{self._number}-{version}","version":{version},'
            f'"occurred_at":"{instant(moment)}"}}'
        ).encode()


def events(units: int, seed: int) -> Iterator[bytes]:
    """Events as JSON, for ever: two hundred dossiers at a time tell their versions in turns."""
    plan = plan_with(units)
    maker = _Maker(seed, unit_codes(plan, units), plan.catalogue)
    chance = Random(seed + 1).random
    open_dossiers = [maker.versions() for _ in range(OPEN_DOSSIERS)]
    recent: list[bytes] = []
    while True:
        slot = int(OPEN_DOSSIERS * chance())
        pending = open_dossiers[slot]
        event = pending.pop(1 if len(pending) > 1 and chance() < LATE else 0)
        if not pending:
            open_dossiers[slot] = maker.versions()
        yield event
        recent.append(event)
        if len(recent) == 512:
            del recent[:256]
        if chance() < REPEATED:
            yield recent[int(len(recent) * chance())]


@part
def write(path: str, events_wanted: int, units: int, seed: int = 1) -> dict[str, int]:
    """Write so many events to a file."""
    size = 0
    with Path(path).open("wb") as file:
        for _, line in zip(range(events_wanted), events(units, seed), strict=False):
            size += file.write(line + b"\n")
    return {"events": events_wanted, "bytes": size}


if __name__ == "__main__":
    main_of(write)
