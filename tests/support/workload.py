# mypy: ignore-errors
"""A seeded workload of canonical dossier events: same arguments, same events.

    python -m tests.support.workload --events 20000 --seed 1 [--units 15] [--year 2023] > events.jsonl

At least that many events, until every dossier begun has told all its states: about four each. Mixed in, at the given shares: exact
repeats (--dup), versions that arrive after a newer one (--late), and among the later versions corrections of channel, payment,
digitisation, promised date, received month, unit, and withdrawals. Units are skewed: a few receive most dossiers; every fourth is
often overdue, the others hardly ever. Nobody in it is real.
"""

import argparse
import json
import pathlib
import random
import sys
from datetime import datetime, timedelta, timezone

import yaml

CATALOGUE = pathlib.Path(__file__).parents[2] / "deploy/plans/phung-hiep-2023/catalogue.yaml"
LOCAL = timezone(timedelta(hours=7))
COMMUNES = [
    "31393",
    "31396",
    "31399",
    "31402",
    "31405",
    "31408",
    "31417",
    "31420",
    "31423",
    "31426",
    "31429",
    "31432",
    "31433",
    "31435",
    "31438",
]


def unit_codes(count):
    """The fifteen communes first, invented codes after them."""
    return (COMMUNES + [f"9{n:05d}" for n in range(max(0, count - len(COMMUNES)))])[:count]


def iso(moment):
    return moment.isoformat(timespec="seconds")


def versions(rng, number, units, procedures, start, days):
    """All states of one dossier, oldest first."""
    procedure = rng.choice(procedures)
    received = start + timedelta(days=rng.random() * days, hours=8 * rng.random())
    state = {
        "source": "dvc.sample",
        "type": "dossier.recorded",
        "dossier": f"H30.99-{received:%y%m%d}-{number:07d}",
        "unit": units[int(len(units) * rng.random() ** 1.6)],
        "procedure": procedure["code"],
        "status": "accepted",
        "channel": "online" if rng.random() < 0.7 else rng.choice(["counter", "post"]),
        "service_level": procedure["level"],
        "received_at": iso(received),
        "due_at": iso(received + timedelta(days=rng.choice([1, 3, 5, 10]))),
        "finished_at": None,
        "fee_due": procedure["fee_due"],
        "paid_online": None,
        "digitised": None,
        "satisfaction": None,
    }
    if rng.random() < 0.04:
        state["due_at"] = None
    moment, version, out = received, 1, []

    def emit():
        out.append(
            dict(state, id=f"{number}-{version}", version=version, occurred_at=iso(moment))
        )

    if rng.random() < 0.1:
        state["status"] = "registered"

    def finish():
        due = (
            datetime.fromisoformat(state["due_at"])
            if state["due_at"]
            else received + timedelta(days=5)
        )
        tardy = rng.random() < (0.02 if units.index(state["unit"]) % 4 == 3 else 0.0003)
        finished = due + timedelta(days=1 if tardy else rng.choice([-2, -1, 0, 0]))
        state.update(
            status=rng.choice(["finished", "returned"]),
            finished_at=iso(max(finished, received)),
            paid_online=(rng.random() < 0.55) if state["fee_due"] else None,
            digitised=rng.random() < 0.8,
            satisfaction=rng.choice(
                ["very_satisfied"] * 30 + ["satisfied"] * 18 + ["dissatisfied"] + [None] * 30
            ),
        )

    emit()
    for _ in range(rng.choice([0, 0, 1, 1, 2, 3])):
        version += rng.choice([1, 1, 1, 2])
        moment += timedelta(hours=1 + 90 * rng.random())
        roll = rng.random()
        if roll < 0.4:
            finish()
        elif roll < 0.5:
            state["channel"] = "counter" if state["channel"] == "online" else "online"
        elif roll < 0.6 and state["due_at"]:
            state.update(
                status="supplement",
                finished_at=None,
                due_at=iso(datetime.fromisoformat(state["due_at"]) + timedelta(days=7)),
            )
        elif roll < 0.65:
            state["received_at"] = iso(
                datetime.fromisoformat(state["received_at"]) - timedelta(days=20)
            )
        elif roll < 0.7:
            state["unit"] = rng.choice(units)
        elif roll < 0.73 and state["digitised"] is not None:
            state["digitised"] = not state["digitised"]
        else:
            state.update(status="processing", finished_at=None)
        emit()
    version, moment = version + 1, moment + timedelta(hours=30)
    if rng.random() < 0.03:
        state.update(status=rng.choice(["withdrawn", "refused"]), finished_at=None)
    elif rng.random() < 0.9995:
        finish()
    emit()
    return out


def stream(events, seed, units, year, dup, late):
    rng = random.Random(seed)
    procedures = yaml.safe_load(CATALOGUE.read_text(encoding="utf-8"))["catalogue"]
    codes, start = unit_codes(units), datetime(year, 6, 1, 7, tzinfo=LOCAL)
    open_dossiers, recent, number, count = [], [], 0, 0
    while count < events or open_dossiers:
        while count < events and len(open_dossiers) < 200:
            number += 1
            open_dossiers.append(versions(rng, number, codes, procedures, start, 210))
        slot = rng.randrange(len(open_dossiers))
        pending = open_dossiers[slot]
        event = pending.pop(1 if len(pending) > 1 and rng.random() < late else 0)
        if not pending:
            open_dossiers.pop(slot)
        yield event
        count += 1
        recent = [*recent[-255:], event]
        if rng.random() < dup:
            yield rng.choice(recent)
            count += 1


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--units", type=int, default=15)
    parser.add_argument("--year", type=int, default=2023)
    parser.add_argument("--dup", type=float, default=0.05)
    parser.add_argument("--late", type=float, default=0.08)
    args = parser.parse_args()
    for event in stream(**vars(args)):
        sys.stdout.write(json.dumps(event, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
