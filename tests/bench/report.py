"""The figures as a table for people, with what was aimed at and the ratios to the yardsticks."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Result = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """One figure."""

    name: str
    value: str
    aim: str = ""
    met: bool | None = None


def _at_least(name: str, value: float, aim: float, form: str = ",.0f") -> Line:
    return Line(name, format(value, form), f"≥ {aim:{form}}", value >= aim)


def _at_most(name: str, value: float, aim: float, form: str = ",.2f") -> Line:
    return Line(name, format(value, form), f"≤ {aim:{form}}", value <= aim)


def _sustained(units: str, found: Result) -> Iterator[Line]:
    yield _at_least(f"events/s through HTTP, {units} units", found["events_per_second"], 40_000)
    yield Line(
        "  accepted / folded / on the board / stored after, s",
        " / ".join(
            f"{found[key]:.1f}"
            for key in (
                "accepted_seconds",
                "folded_seconds",
                "seconds",
                "write_behind_drained_seconds",
            )
        ),
    )
    yield Line("  first board complete after start, s", f"{found['first_board_seconds']:.1f}")
    batch = found["batch_ms"]
    yield Line("  answer to a batch p50 / p99, ms", f"{batch['p50']:.0f} / {batch['p99']:.0f}")
    yield Line("  CPU µs an event", _each(found["cpu_us_per_event"], ".1f"))
    for cost in found["cost_by_history"]:
        spent = f"web {cost['web']:.1f}, worker {cost['worker']:.1f}"
        yield Line(f"    from {cost['from']:,.0f} to {cost['to']:,.0f} events", spent)
    yield Line("  resident MB", _each(found["rss_mb"], ".0f"))
    memory = found["worker_mb_per_million_dossiers"]
    yield Line("  worker MB per million dossiers", f"{memory:,.0f}")


def _each(values: dict[str, float], form: str) -> str:
    return ", ".join(f"{name} {value:{form}}" for name, value in values.items())


def _latencies(results: Result) -> Iterator[Line]:
    if found := results.get("freshness"):
        at = found["freshness_ms"]
        yield _at_most(f"freshness at {found['rate']}/s p50, ms", at["p50"], 7)
        yield Line("  p95, ms", f"{at['p95']:.2f}")
        yield _at_most("  p99, ms", at["p99"], 25)
        yield Line("  answer p50 / p99, ms", _pair(found["answer_ms"]))
    if found := results.get("singles"):
        yield Line("single posts/s, 100 clients", f"{found['posts_per_second']:,.0f}")
        yield Line("  answer p50 / p99, ms", _pair(found["answer_ms"]))


def _pair(at: dict[str, float]) -> str:
    return f"{at['p50']:.1f} / {at['p99']:.1f}"


def _ways_back(results: Result) -> Iterator[Line]:
    for name in ("restart", "rebuild"):
        if found := results.get("restart", {}).get(name):
            facts = f"{found['facts_loaded']:,} facts in {found['facts_seconds']} s"
            then = f"then {found['packs_caught_up']:,} packs"
            yield Line(f"{name}, s", f"{found['seconds']:.1f}  ({facts}, {then})")


def _growth(results: Result) -> Iterator[Line]:
    if found := results.get("history"):
        for at in found["at"]:
            cost = f"{at['cpu_us_per_event']:.1f}"
            yield Line(f"fold at {at['history']:,} events, CPU µs an event", cost)
        yield _at_most("  last size : first size", found["ratio"], 1.2)


def _yardsticks(results: Result) -> Iterator[Line]:
    ours = results.get("sustained", {}).get("15", {})
    for name, title in (
        ("idle", "(a) no-op FastStream consumer"),
        ("plain", "(b) plain fold in memory"),
        ("sqlite_bulk", "(c) SQLite, commit per 10,000"),
        ("sqlite_bulk_full", "(c) per 10,000, synchronous=FULL"),
        ("sqlite_single", "(c) SQLite, commit per event"),
        ("sqlite_single_full", "(c) per event, synchronous=FULL"),
    ):
        if not (found := results.get(name)):
            continue
        rate = found["events_per_second"]
        cost = f"{rate:,.0f} events/s, {found['cpu_us_per_event']:.1f} CPU µs"
        yield Line(title, cost)
        if not ours:
            continue
        ratio = ours["events_per_second"] / rate
        aimed = name == "sqlite_bulk"
        yield (
            _at_least("  ours : yardstick", ratio, 0.6, ".2f")
            if aimed
            else Line("  ours : yardstick", f"{ratio:.2f}")
        )
        if name == "idle":
            worker = ours["cpu_us_per_event"]["worker"] / found["cpu_us_per_event"]
            yield Line("  CPU of our worker : yardstick", f"{worker:.1f}")


def _alerts(results: Result) -> Iterator[Line]:
    if found := results.get("alerts"):
        told = f"{found['notices']:,} notices in {found['mails']:,} mails"
        yield Line(f"alerts of {found['units']:,} units", f"{found['occasions']:,}: {told}")
        yield Line(
            "  found / written / sent in, s",
            " / ".join(f"{found[f'{key}_seconds']:.1f}" for key in ("find", "write", "send")),
        )
        yield Line("  mails/s over SMTP, 3 connections", f"{found['mails_per_second']:,.0f}")
        yield Line("  resident MB", f"{found['rss_mb']:,.0f}")


def lines(results: Result) -> Iterator[Line]:
    """All figures in order."""
    for units, found in results.get("sustained", {}).items():
        yield from _sustained(f"{int(units):,}", found)
    yield from _latencies(results)
    yield from _ways_back(results)
    yield from _growth(results)
    yield from _alerts(results)
    yield from _yardsticks(results)
    yield from _packages(results)
    yield from _paint(results)


def _packages(results: Result) -> Iterator[Line]:
    if found := results.get("packages"):
        yield Line(f"package of {found['units']:,} units, s", f"{found['seconds']:.0f}")
        yield Line("  files / MB", f"{found['files']:,} / {found['megabytes']:.0f}")
        yield Line(
            "  memory of the drawing process at most, MB", f"{found['memory_megabytes']:.0f}"
        )


def _paint(results: Result) -> Iterator[Line]:
    if found := results.get("paint"):
        yield Line("first paint on a slow phone, worst page, ms", f"{found['worst_ms']:,}")
        for path, (milliseconds, size) in found["pages"].items():
            yield Line(f"  {path}, ms (kB)", f"{milliseconds:,} ({size / 1_000:.0f})")


def table(results: Result) -> str:
    """The figures in columns; aims that were missed say so."""
    found = list(lines(results))
    if not found:
        return "nothing was measured"
    names = max(len(line.name) for line in found)
    values = max((len(line.value) for line in found if line.aim), default=0)
    words = {None: "", True: "met", False: "MISSED"}
    return "\n".join(
        f"{line.name:<{names}}  {line.value:>{values}}  {line.aim}  {words[line.met]}".rstrip()
        for line in found
    )
