"""The same dossiers as a one-stop system tells them: national payloads, with its habits of writing."""

import zlib
from collections.abc import Callable
from datetime import datetime
from typing import Any

from contracts.calendar import LOCAL
from contracts.plan import Plan
from services.season.players import Content, chance

ONE_IN = 3
"""Every third dossier comes from a one-stop system."""
STATUSES = (
    "registered", "accepted", "refused", "processing", "supplement",
    "payment_due", "withdrawn", "suspended", "finished", "returned",
)  # fmt: skip
CHANNELS = {"counter": "1", "online": "2", "post": "3"}
_BY_STEP = frozenset({"processing", "withdrawn"})
_DONE = frozenset({"finished", "returned"})


def is_national(event: Content) -> bool:
    """Whether a dossier comes in this form; always the same answer for one dossier."""
    if event["type"] != "dossier.recorded":
        return False
    return zlib.crc32(str(event["dossier"]).encode()) % ONE_IN == 0


def names_of(plan: Plan) -> dict[str, str]:
    """Unit -> the name by which a one-stop system calls it."""
    return {
        unit.code: f"UBND {unit.name.vi}" if unit.bloc == "commune" else unit.name.vi
        for unit in plan.units
    }


def payloads(events: list[Content], names: dict[str, str]) -> list[Content]:
    """The envelopes that tell these states, in their order: dossiers and steps by turns."""
    told: list[Content] = []
    for event in events:
        step = event["version"] > 1 and event["status"] in _BY_STEP
        service = "CapNhatTienDoHoSoMC" if step else "DongBoHoSoMC"
        if not told or told[-1]["service"] != service:
            told.append({"service": service, "isUpdating": "True", "data": []})
        told[-1]["data"].append(_step(event) if step else _dossier(event, names))
    return told


def _step(event: Content) -> Content:
    return {
        "MaHoSo": event["dossier"],
        "ThoiDiemXuLy": _written(event["occurred_at"]),
        "TrangThai": _status(event),
    }


def _dossier(event: Content, names: dict[str, str]) -> Content:
    status, at = event["status"], event["occurred_at"]
    paid, digitised = event["paid_online"], event["digitised"]
    luck = chance("spelling", event["dossier"])
    forms: list[Callable[[Any], str]] = [_written, _written, str, _slashed]
    written = luck.choice(forms)
    name = names[event["unit"]]
    return {
        "MaHoSo": event["dossier"],
        "MaTTHC": event["procedure"],
        "DonViXuLy": luck.choice([name, name, name.upper(), name.replace(" ", "  ")]),
        "KenhThucHien": CHANNELS[event["channel"]],
        "TrangThaiHoSo": _status(event),
        "NgayNopHoSo": written(event["received_at"]),
        "NgayTiepNhan": "" if status == "registered" else written(event["received_at"]),
        "NgayHenTra": written(event["due_at"]),
        "NgayKetThucXuLy": written(event["finished_at"]) if status in _DONE else "",
        "NgayTra": written(at) if status == "returned" else "",
        "NgayTuChoi": written(at) if status == "refused" else "",
        "DuocThanhToanTrucTuyen": "" if paid is None else str(int(paid)),
        "HoSoCoThanhPhanSoHoa": "" if digitised is None else luck.choice([digitised, str(int(digitised))]),
        "DanhSachHoSoBoSung": [_supplement(event)] if status == "supplement" else [],
    }  # fmt: skip


def _supplement(event: Content) -> Content:
    return {
        "NgayBoSung": _written(event["occurred_at"]),
        "NgayHenTraMoi": _written(event["due_at"]),
    }


def _status(event: Content) -> str:
    return str(STATUSES.index(event["status"]) + 1)


def _written(instant: Any) -> str:  # noqa: ANN401 - an instant of a season
    return datetime.fromisoformat(instant).astimezone(LOCAL).strftime("%Y%m%d%H%M%S")


def _slashed(instant: Any) -> str:  # noqa: ANN401 - an instant of a season
    return datetime.fromisoformat(instant).astimezone(LOCAL).strftime("%d/%m/%Y %H:%M:%S")
