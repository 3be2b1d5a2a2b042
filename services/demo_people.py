"""The people of the demonstration: an account of each kind with a link to sign in, and the office's work."""

import asyncio
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contracts.plan import Plan
    from services.runtime.clock import Clock

KINDS = (
    ("canbo", "Cán bộ Mẫu", "officer", "31402", "officer of Xã Bình Thành: the monthly report"),
    ("thutruong", "Thủ trưởng Mẫu", "head", "31402", "head of Xã Bình Thành"),
    ("thamdinh", "Người thẩm định Mẫu", "reviewer", "", "standing office: review"),
    ("giamsat", "Người giám sát Mẫu", "observer", "", "observer: sees, changes nothing"),
    ("lanhdao", "Lãnh đạo Mẫu", "leader", "", "leader: signs"),
    ("quantri", "Quản trị Mẫu", "admin", "", "administrator: accounts"),
)
"""Login, name, role, unit, what they do; nobody in it is real."""


def make_people(data: Path) -> dict[str, str]:
    """Make the accounts; what each is for -> the one-time link to set a password."""
    return asyncio.run(_make(data))


async def _make(data: Path) -> dict[str, str]:
    from services.people_commands import welcome_address  # noqa: PLC0415
    from services.runtime.access.accounts import NewAccount  # noqa: PLC0415
    from services.runtime.access.app import access_of  # noqa: PLC0415
    from services.runtime.access.application import OPERATOR  # noqa: PLC0415
    from services.runtime.datafolder import running, settings_for  # noqa: PLC0415
    from services.runtime.resources import resources  # noqa: PLC0415

    run, links = running(data), {}
    async with resources(settings_for(data, run)) as own:
        access = access_of(own)
        for login, name, role, unit, what in KINDS:
            units = [unit] if unit else []
            new = NewAccount.model_validate(
                {"login": login, "name": name, "grants": {role: units}, "belongs_to": units}
            )
            account = await access.add(OPERATOR, new)
            code = await access.make_link(OPERATOR, account.code)
            links[f"{login} ({what})"] = welcome_address(run.address if run else None, code)
    return links


class OfficeAtWork:
    """Officers and a reviewer, beside the replay of everything else."""

    def __init__(self, data: Path, base: str, plan: "Plan", seed: int, clock: "Clock") -> None:
        from services.runtime.auth import Keys, Role, issue  # noqa: PLC0415
        from services.season.officers import UNITS, Office  # noqa: PLC0415

        key = Keys(data / "keys").signing()
        tokens = {u: issue(key, Role.OFFICER, [u], subject=f"demo-{u}") for u in UNITS}
        tokens[""] = issue(key, Role.REVIEWER, subject="demo-reviewer")
        self._office = Office(plan, seed, clock, base, tokens)
        self._thread = threading.Thread(target=self._office.work, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def finish(self, seconds: float = 60) -> None:
        """Wait until the last decision is taken."""
        self._thread.join(seconds)
