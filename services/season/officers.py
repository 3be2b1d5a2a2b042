"""Two units of a simulated season report as people do: through the workspace, with drafts, files, decisions, an appeal.

Everything goes over the HTTP interface, with the words and roles of the people concerned.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from random import Random
from typing import TYPE_CHECKING, Any, Protocol

from contracts.calendar import last_day_of, months_of, quarter_of
from contracts.plan import Indicator, Part, Plan
from services.season.claims import PRODUCTS
from services.season.players import Player, chance, moment, players_of

if TYPE_CHECKING:
    from datetime import datetime

    import httpx

UNITS = ("31402", "D13")
"""Who reports through the workspace."""
_WRITES_ON, _DECIDES_ON, _MENDS_ON = 3, 15, 18
"""Days of the month."""
_LEFT_WAITING = 6
"""So many items of the last month still wait at the end, for whoever looks at the queue."""
_SHOWN = ("X2", "X5", "P2", "P3")
"""Files are attached here; elsewhere the note says where the evidence is."""
_PAUSE = 0.1
_PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>endobj\n"
    b"trailer<</Root 1 0 R>>\n%%EOF\n"
)


class Clock(Protocol):
    """Simulated time."""

    def now(self) -> "datetime":
        """The instant now."""


class Office:
    """The officers of some units and one reviewer, at work month by month."""

    def __init__(
        self, plan: Plan, seed: int, clock: Clock, base: str, tokens: dict[str, str]
    ) -> None:
        """`tokens`: unit -> token of its officer; `""`: token of the reviewer."""
        self._plan, self._clock = plan, clock
        self._base, self._tokens = base, tokens
        self._players = [p for p in players_of(plan, seed) if p.unit.code in tokens]

    def work(self) -> None:
        """The whole season; returns when its last decision is taken."""
        import httpx  # noqa: PLC0415

        with httpx.Client(base_url=self._base, timeout=30) as client:
            for month in self._plan.months:
                self._wait(month, _WRITES_ON)
                with ThreadPoolExecutor(len(self._players)) as pool:
                    for player in self._players:
                        pool.submit(self._report, client, player, month)
                self._wait(month, _DECIDES_ON)
                self._decide(client, month)
                self._wait(month, _MENDS_ON)
                self._mend(client, month)

    def _wait(self, month: str, day: int) -> None:
        until = moment(date.fromisoformat(f"{month}-{day:02d}"), 9)
        while self._clock.now() < until:
            time.sleep(_PAUSE)

    def _ask(  # what JSON holds
        self,
        client: "httpx.Client",
        who: str,
        method: str,
        path: str,
        **words: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        """One request; while a part of the system is away it is sent again."""
        import httpx  # noqa: PLC0415

        headers = {"Authorization": f"Bearer {self._tokens[who]}"}
        for _ in range(100):
            try:
                answer = client.request(method, f"/api/v1{path}", headers=headers, **words)
            except httpx.TransportError:
                time.sleep(_PAUSE)
                continue
            if answer.status_code < 500:  # noqa: PLR2004 - the server is there
                break
            time.sleep(_PAUSE)
        else:
            raise TimeoutError(path)
        return answer.json() if answer.content else None

    def _report(self, client: "httpx.Client", player: Player, month: str) -> None:
        unit = player.unit.code
        where = f"{self._plan.id}/{unit}/{month}"
        report = self._ask(client, unit, "GET", f"/submissions/{where}")
        drafts: dict[str, Any] = {}
        for duty in report["duties"]:
            if duty["state"] not in ("owed", "open"):
                continue
            code = duty["indicator"]
            indicator = self._indicator(player, code)
            said = _values(player, indicator, duty["forms"], month)
            note = "Minh chứng lưu tại đơn vị." if said else "Tháng này không phát sinh."
            if not said and duty["state"] == "open":
                continue
            drafts[code] = {"revision": 0, "values": said, "note": note}
            if code in _SHOWN:
                content = _PDF + f"% {unit} {code} {month}".encode()
                name = {"name": f"minh-chung-{code}-{month}.pdf"}
                path = f"/evidence/{where}/{code}"
                self._ask(client, unit, "PUT", path, params=name, content=content)
        self._ask(client, unit, "PUT", f"/submissions/{where}/entries", json=drafts)
        self._ask(client, unit, "POST", f"/submissions/{where}/submit", json={})

    @staticmethod
    def _indicator(player: Player, code: str) -> Indicator:
        found = player.bloc.indicator(code)
        if found is None:
            raise LookupError(code)
        return found

    def _decide(self, client: "httpx.Client", month: str) -> None:
        """One item of one month goes back, one of another month is rejected; all else is accepted."""
        waiting = [w for w in self._waiting(client) if w["month"] == month]
        number = self._plan.months.index(month)
        returned = next((w for w in waiting if w["claimed"] and number == 1), None)
        rejected = next((w for w in reversed(waiting) if w["claimed"] and number == 2), None)  # noqa: PLR2004 - the third month
        for one, verdict, reason in (
            (returned, "returned", "Danh sách thiếu một ấp, đề nghị bổ sung."),
            (rejected, "rejected", "Minh chứng không khớp số đã kê khai."),
        ):
            if one is not None:
                body = {"version": one["version"], "decision": verdict, "reason": reason}
                self._ask(client, "", "POST", f"/reviews/{_key(one)}", json=body)
        if rejected is not None:
            self._appeal(client, rejected)
        accepted = [w for w in waiting if w not in (returned, rejected)]
        last = number == len(self._plan.months) - 1
        self._accept(client, accepted[:-_LEFT_WAITING] if last else accepted)

    def _waiting(self, client: "httpx.Client") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._ask(client, "", "GET", "/reviews")["waiting"]
        return found

    def _accept(self, client: "httpx.Client", waiting: list[dict[str, Any]]) -> None:
        names = ("plan", "unit", "month", "indicator", "version")
        body = [{name: w[name] for name in names} for w in waiting]
        if body:
            self._ask(client, "", "POST", "/reviews/accept", json=body)

    def _mend(self, client: "httpx.Client", month: str) -> None:
        """What came back is completed and handed in again."""
        for player in self._players:
            unit = player.unit.code
            where = f"{self._plan.id}/{unit}/{month}"
            items = self._ask(client, unit, "GET", f"/submissions/{where}")["items"]
            states = {code: item["state"] for code, item in items.items()}
            if "returned" in states.values():
                self._ask(client, unit, "POST", f"/submissions/{where}/submit", json={})
                self._accept(client, [w for w in self._waiting(client) if w["unit"] == unit])

    def _appeal(self, client: "httpx.Client", rejected: dict[str, Any]) -> None:
        """The unit contests a rejection at once, and is right."""
        plea = {name: rejected[name] for name in ("plan", "unit", "month")}
        plea |= {"about": "indicator", "code": rejected["indicator"]}
        plea |= {"words": "Tệp đính kèm có đủ căn cứ ở trang 2."}
        made = self._ask(client, rejected["unit"], "POST", "/appeals", json=plea)
        answer = {"decision": "upheld", "answer": "Đã xem lại, số kê khai là đúng."}
        if "id" in made:  # else it was lodged before a kill, and waits in the office's list
            self._ask(client, "", "POST", f"/appeals/{made['id']}/decision", json=answer)


def _key(waiting: dict[str, Any]) -> str:
    return "/".join(str(waiting[name]) for name in ("plan", "unit", "month", "indicator"))


def _values(
    player: Player, indicator: Indicator, forms: dict[str, Any], month: str
) -> dict[str, Any]:
    said = {}
    for code, form in forms.items():
        part = next(part for part in indicator.parts if part.code == code)
        luck = player.luck((indicator.code, code, month))
        found = _of_kind(player, indicator, part, form["kind"], month, luck)
        if found:
            said[code] = found
    return said


def _of_kind(
    player: Player, indicator: Indicator, part: Part, kind: str, month: str, luck: Random
) -> dict[str, Any]:
    rate = player.rate(indicator.code + part.code, month)
    days = list(_days(player.plan, month))
    items = [item.code for item in getattr(part.measure, "items", [])]
    done = items[: round(len(items) * rate)]
    found = {
        "figure": _figure(player, indicator, part, rate),
        "tally": {"value": round(rate * 3)},
        "checklist": {"items": dict.fromkeys(done, days[0])} if done else {},
        "deduction": {"listed_on": days[0]},
        "roster": {"rows": [_person(n, rate, luck) for n in range(1, 9)]},
        "articles": {"rows": [{"sent_on": d, "published_on": d} for d in days[:3]]},
        "bulletins": {"rows": [{"on": day} for day in days if luck.random() < rate]},
        "things": _shown(player.plan, month, days, luck),
        "feedback": {
            "rows": [{"received_on": d, "due_on": d, "answered_on": d} for d in days[:2]]
        },
    }
    return found.get(kind, {})


def _shown(plan: Plan, month: str, days: list[str], luck: Random) -> dict[str, Any]:
    """One product or model, told in the last month of a quarter."""
    last = months_of(quarter_of(month), plan.months)[-1]
    if month != last:
        return {}
    return {"rows": [{"on": days[-1], "name": luck.choice(PRODUCTS)}]}


def _figure(player: Player, indicator: Indicator, part: Part, rate: float) -> dict[str, Any]:
    whole = chance(player.unit.code, indicator.code, part.code).randint(40, 900)
    target = float(getattr(part.score, "target", 1))
    top = min(whole, round(whole * rate * (target + (1 - target) * 0.3)))
    return {"numerator": top, "denominator": whole}


def _person(number: int, rate: float, luck: Random) -> dict[str, Any]:
    has_account = luck.random() < rate
    filed = luck.randint(0, 5) if has_account else 0
    return {"person": f"NV-{number:02d}", "account": has_account, "dossiers": filed}


def _days(plan: Plan, month: str) -> Iterator[str]:
    """Some days from the last report to this one, a week apart."""
    first = date.fromisoformat(f"{month}-01")
    day = max(plan.starts_on, first - timedelta(days=20))
    while day <= min(first + timedelta(days=_WRITES_ON - 2), last_day_of(month)):
        yield day.isoformat()
        day += timedelta(days=7)
