# mypy: ignore-errors
"""Slow, plain and obviously right: the portal-fed indicators of every unit, from canonical dossier events.

    python -m tests.support.oracle events.jsonl [--period 2023 | 2023-Q3 | 2023-07] [--as-of 2026-01-01] > expected.json
    python -m tests.support.oracle events.jsonl --check standings.json      # compare with GET /api/v1/standings/{plan}/commune?period=…

Keep no state, know no order: group by dossier, keep the winner, count. `--as-of` is the day on which open dossiers are judged overdue.
"""

import argparse
import hashlib
import json
import pathlib
import sys
from collections import defaultdict
from datetime import date, datetime, timedelta, timezone
from fractions import Fraction

import yaml

CATALOGUE = pathlib.Path(__file__).parents[2] / "deploy/plans/phung-hiep-2023/catalogue.yaml"
LOCAL = timezone(timedelta(hours=7))
MONTHS = [f"2023-{m:02d}" for m in range(6, 13)]  # the competition's months
QUOTA = 60  # X13: online dossiers a unit is asked for each month
#            points, target
RULES = {
    "X7": (12, Fraction(1)),
    "X8": (15, Fraction(80, 100)),
    "X13": (10, Fraction(1)),
    "X14": (12, Fraction(50, 100)),
    "X15": (10, Fraction(80, 100)),
    "X20": (8, Fraction(98, 100)),
}


def day(text):
    return datetime.fromisoformat(text).astimezone(LOCAL).date() if text else None


def precedence(event):
    """Later version, then later moment, then greater content: the same winner whatever the order of arrival."""
    content = json.dumps(
        {k: v for k, v in event.items() if k != "id"},
        sort_keys=True,
        ensure_ascii=False,
        separators=(",", ":"),
    )
    return (
        event["version"],
        datetime.fromisoformat(event["occurred_at"]),
        hashlib.sha256(content.encode()).hexdigest(),
    )


def winners(events):
    best = {}
    for event in events:
        key = event["source"], event["dossier"]
        if key not in best or precedence(event) > precedence(best[key]):
            best[key] = event
    return list(best.values())


def months_of(period):
    if "Q" in period:
        year, quarter = period.split("-Q")
        return [m for m in MONTHS if m[:4] == year and (int(m[5:]) + 2) // 3 == int(quarter)]
    return [m for m in MONTHS if m.startswith(period)]


def counters(dossiers, period, catalogue):
    """(unit, indicator) -> [numerator, denominator]; X7's numerator is a set of procedures until the end."""
    months, offered = (
        months_of(period),
        sum(p["level"] in ("full", "partial") for p in catalogue),
    )
    out = defaultdict(lambda: [0, 0])
    used = defaultdict(set)
    for d in dossiers:
        if (
            d["status"] in ("registered", "refused", "withdrawn")
            or f"{day(d['received_at']):%Y-%m}" not in months
        ):
            continue
        unit, online = d["unit"], d["channel"] == "online"
        if d["service_level"] in ("full", "partial"):
            out[unit, "X8"][1] += 1
            out[unit, "X8"][0] += online
            if online:
                used[unit].add(d["procedure"])
        out[unit, "X13"][0] += online
        if d["fee_due"]:
            out[unit, "X14"][1] += 1
            out[unit, "X14"][0] += bool(d["paid_online"])
        if d["digitised"] is not None:
            out[unit, "X15"][1] += 1
            out[unit, "X15"][0] += d["digitised"]
        if d["satisfaction"] is not None:
            out[unit, "X20"][1] += 1
            out[unit, "X20"][0] += d["satisfaction"] != "dissatisfied"
    for unit in {u for u, _ in out}:
        out[unit, "X7"] = [len(used[unit]), offered]
        out[unit, "X13"][1] = QUOTA * len(months)
    return out


def points(indicator, numerator, denominator):
    """Proportional up to the target, full beyond; ten-thousandths of a point, half up, as a decimal string."""
    if denominator == 0:
        return "0.0000"
    top, target = RULES[indicator]
    share = min(Fraction(1), Fraction(numerator, denominator) / target)
    exact = top * 10_000 * share
    whole = (2 * exact.numerator + exact.denominator) // (2 * exact.denominator)
    return f"{whole // 10_000}.{whole % 10_000:04d}"


def overdue_by_month(dossiers, as_of):
    """(unit, month the promise passed) -> overdue dossiers of online services."""
    out = defaultdict(int)
    for d in dossiers:
        due = day(d["due_at"])
        if (
            due is None
            or d["status"] in ("registered", "refused", "withdrawn")
            or d["service_level"] == "information"
        ):
            continue
        if (day(d["finished_at"]) or as_of) > due and f"{due:%Y-%m}" in MONTHS:
            out[d["unit"], f"{due:%Y-%m}"] += 1
    return out


def expected(events, period, as_of):
    catalogue = yaml.safe_load(CATALOGUE.read_text(encoding="utf-8"))["catalogue"]
    dossiers = winners(events)
    counts, late = counters(dossiers, period, catalogue), overdue_by_month(dossiers, as_of)
    units = sorted({d["unit"] for d in dossiers})
    return {
        unit: {
            "indicators": {
                code: points(code, *counts.get((unit, code), (0, 0))) for code in RULES
            },
            "counters": {code: list(counts.get((unit, code), (0, 0))) for code in RULES},
            "overdue_months": sorted(
                m
                for (u, m), n in late.items()
                if u == unit and n >= 2 and m in months_of(period)
            ),
        }
        for unit in units
    }


def check(want, standings):
    rows = {row["unit"]: row for row in standings["rows"]}
    wrong = []
    for unit, w in want.items():
        row = rows.get(unit)
        if row is None:
            wrong.append(f"{unit}: not on the board")
            continue
        wrong += [
            f"{unit} {code}: board {row['indicators'].get(code)}, expected {value}"
            for code, value in w["indicators"].items()
            if row["indicators"].get(code) != value
        ]
        if bool(w["overdue_months"]) and row["eligible"]:
            wrong.append(
                f"{unit}: eligible in spite of overdue dossiers in {w['overdue_months']}"
            )
    return wrong


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("events")
    parser.add_argument("--period", default="2023")
    parser.add_argument("--as-of", type=date.fromisoformat, default=date(2026, 1, 1))
    parser.add_argument("--check", metavar="STANDINGS")
    args = parser.parse_args()
    with open(args.events, encoding="utf-8") as lines:
        want = expected([json.loads(line) for line in lines], args.period, args.as_of)
    if not args.check:
        json.dump(want, sys.stdout, ensure_ascii=False, indent=1)
        return
    wrong = check(want, json.loads(pathlib.Path(args.check).read_text(encoding="utf-8")))
    print("\n".join(wrong[:20]) or f"{len(want)} units agree")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
