"""The end of the demonstration: sample people settle, check, sign and publish the packages of the season."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx

    from contracts.plan import Plan

PATIENCE_SECONDS = 600
PAUSE_SECONDS = 0.3
FOLDER = "packages"
PEOPLE = (
    ("Nguyễn Thị Mẫu", "official", "Công chức Văn hóa và Xã hội"),
    ("Trần Văn Ví Dụ", "part_time", "Tổ công nghệ số cộng đồng"),
)
"""They do not exist, and look it."""
REASON = "Theo ý kiến thống nhất tại cuộc họp mẫu của bản trình diễn."
PRESENT = [{"name": "Người Mẫu Một", "office": "Phòng Văn hóa và Thông tin (mẫu)"}]


class PackageLateError(Exception):
    """A package is not ready in time."""


class Cast:
    """Sample accounts, each with a client of its own."""

    def __init__(self, data: Path, port: int) -> None:
        import httpx  # noqa: PLC0415

        from services.runtime.auth import Keys, Role, issue  # noqa: PLC0415

        key = Keys(data / "keys").signing()

        def client(role: Role, subject: str) -> "httpx.Client":
            token = issue(key, role, subject=subject)
            headers = {"Authorization": f"Bearer {token}", "Origin": f"http://127.0.0.1:{port}"}
            return httpx.Client(
                base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60
            )

        self.reviewer = client(Role.REVIEWER, "sample-reviewer-1")
        self.second = client(Role.REVIEWER, "sample-reviewer-2")
        self.leader = client(Role.LEADER, "sample-leader")


def show_packages(data: Path, port: int, plan: "Plan") -> list[str]:
    """Bring the third quarter to published and the year to checked; returns what was made, a line each."""
    cast, year = Cast(data, port), str(plan.ends_on.year)
    quarter = f"{plan.id}:{year}-Q3:1"
    whole = f"{plan.id}:{year}:1"
    lines = []
    for key in (quarter, whole):
        package = _wait(
            cast, key, lambda found: bool(found["build"]["done"]) and not _waits(found)
        )
        if key == whole:
            _nominate(cast, plan, year)
            _settle(cast, key)
        checked = _step(cast.reviewer, key, "check")
        package = _wait(cast, key, _built) if checked else _rebuilt(cast, key)
        if checked and key == quarter:
            _step(cast.leader, key, "sign")
            package = _step(cast.leader, key, "publish") or package
        lines.append(_saved(cast, data, key, package))
    return lines


def _waits(package: dict[str, Any]) -> bool:
    """The closing is not recomputed yet."""
    return any(finding["code"] == "not_proved" for finding in package["gate"])


def _built(package: dict[str, Any]) -> bool:
    return bool(package["build"]["done"] == package["build"]["wanted"])


def _wait(cast: Cast, key: str, good: Any) -> dict[str, Any]:  # noqa: ANN401 - a predicate
    import httpx  # noqa: PLC0415

    from services.runtime.clock import monotonic_seconds  # noqa: PLC0415

    end = monotonic_seconds() + PATIENCE_SECONDS
    while monotonic_seconds() < end:
        try:
            answer = cast.reviewer.get(f"/api/v1/packages/{key}")
        except httpx.TransportError:
            answer = httpx.Response(503)
        if answer.status_code == httpx.codes.OK and good(answer.json()):
            found: dict[str, Any] = answer.json()
            return found
        time.sleep(PAUSE_SECONDS)
    raise PackageLateError(f"the package {key} is not ready after {PATIENCE_SECONDS} s")


def _step(client: "httpx.Client", key: str, action: str) -> dict[str, Any] | None:
    """One step; None when it is refused."""
    answer = client.post(f"/api/v1/packages/{key}/{action}")
    return answer.json() if answer.is_success else None


def _rebuilt(cast: Cast, key: str) -> dict[str, Any]:
    _step(cast.reviewer, key, "refresh")
    return _wait(cast, key, _built)


def _nominate(cast: Cast, plan: "Plan", year: str) -> None:
    """Two people for the first department; the standing office collects them."""
    unit = next(u.code for u in plan.units if (b := plan.bloc(u.bloc)) and b.bloc_individuals)
    for name, category, position in PEOPLE:
        person = {
            "unit": unit,
            "name": name,
            "category": category,
            "position": position,
            "achievement": "Hướng dẫn người dân nộp hồ sơ trực tuyến (thành tích mẫu).",
            "votes_for": 9,
            "votes_total": 10,
        }
        made = cast.reviewer.post(f"/api/v1/nominations/{plan.id}/{year}", json=person)
        if made.is_success:
            key = made.json()["id"]
            cast.reviewer.post(
                f"/api/v1/nominations/{plan.id}/{year}/{key}/decision",
                json={"state": "accepted"},
            )


def _settle(cast: Cast, key: str) -> None:
    """Answer what is open, one question after the other, each confirmed by the second account."""
    while True:
        items = cast.reviewer.get(f"/api/v1/packages/{key}").json()["items"]
        item = next((one for one in items if not one["settled"]), None)
        if item is None or not _answered(cast, key, item):
            return


def _answered(cast: Cast, key: str, item: dict[str, Any]) -> bool:
    option = item["options"][0]
    order: list[str] = []
    if option == "order":
        order = item["suggested"] or [one["unit"] for one in item["candidates"]]
    elif option == "people":
        plan, year = key.split(":")[:2]
        known = cast.reviewer.get(f"/api/v1/nominations/{plan}/{year}").json()
        order = [one["id"] for one in known if one["state"] == "accepted"]
    answer = {
        "key": item["key"],
        "choice": option,
        "order": order,
        "reason": REASON,
        "present": PRESENT,
    }
    done = cast.reviewer.post(f"/api/v1/packages/{key}/decisions", json=answer)
    if not done.is_success:
        return False
    sealed = cast.second.post(f"/api/v1/packages/{key}/decisions/{item['key']}/confirm")
    return sealed.is_success


def _saved(cast: Cast, data: Path, key: str, package: dict[str, Any]) -> str:
    """Save the archive beside the data; says what it is and what keeps it provisional."""
    folder = data / FOLDER
    folder.mkdir(exist_ok=True)
    path = folder / f"{key.replace(':', '-')}.zip"
    path.write_bytes(cast.reviewer.get(f"/api/v1/packages/{key}/archive").content)
    found = "; ".join(finding["en"] for finding in package.get("gate", []))
    state = package["state"] + (
        f", provisional: {found}" if package["state"] == "draft" else ""
    )
    return f"{path} ({state})"
