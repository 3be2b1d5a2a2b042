"""The national payload: one table for the dossier service, one for the step service."""

from collections.abc import Iterator, Mapping

from services.intake.portal.domain.dialects import (
    DialectError,
    Read,
    Value,
    agency,
    dossier_code,
    instant,
    one_of,
    procedure_code,
    yes_or_no,
)
from services.intake.portal.domain.messages import Fault, Message

SNAPSHOTS, STEPS = "DongBoHoSoMC", "CapNhatTienDoHoSoMC"

STATUSES: dict[str, Value] = {
    "1": "registered",
    "2": "accepted",
    "3": "refused",
    "4": "processing",
    "5": "supplement",
    "6": "payment_due",
    "7": "withdrawn",
    "8": "suspended",
    "9": "finished",
    "10": "returned",
}
CHANNELS: dict[str, Value] = {"1": "counter", "2": "online", "3": "post"}
PAID_ONLINE: dict[str, Value] = {"0": False, "1": True, "2": True, "3": False}

DOSSIER: dict[str, tuple[str, Read]] = {
    "MaTTHC": ("procedure", procedure_code),
    "DonViXuLy": ("agency", agency),
    "TrangThaiHoSo": ("status", one_of(STATUSES)),
    "KenhThucHien": ("channel", one_of(CHANNELS)),
    "NgayNopHoSo": ("submitted_at", instant),
    "NgayTiepNhan": ("received_at", instant),
    "NgayHenTra": ("due_at", instant),
    "NgayKetThucXuLy": ("finished_at", instant),
    "NgayTra": ("returned_at", instant),
    "NgayTuChoi": ("refused_at", instant),
    "DuocThanhToanTrucTuyen": ("paid_online", one_of(PAID_ONLINE)),
    "HoSoCoThanhPhanSoHoa": ("digitised", yes_or_no),
}
"""Field of the payload -> (ours, how it is read). What is not here is read past."""
STEP: dict[str, tuple[str, Read]] = {
    "TrangThai": ("status", one_of(STATUSES)),
    "ThoiDiemXuLy": ("step_at", instant),
}
SUPPLEMENTS = "DanhSachHoSoBoSung"
_SUPPLEMENT_TIMES = ("NgayBoSung", "NgayTiepNhanBoSung")
HAPPENED = ("submitted_at", "received_at", "finished_at", "returned_at", "refused_at")
"""Times at which something happened; a promise is none."""
DAY = 86_400_000


def read_item(item: object, service: str, now: int) -> Message | Fault:
    """The message of one item of a service (empty: known by its fields).

    `now` in milliseconds: nothing happens after tomorrow.
    """
    if not isinstance(item, dict):
        return Fault("", "object")
    try:
        dossier = dossier_code(item.get("MaHoSo"))
    except DialectError as error:
        return Fault("MaHoSo", error.code)
    looks_like_step = "ThoiDiemXuLy" in item and "MaTTHC" not in item
    is_step = service == STEPS if service else looks_like_step
    read = _step if is_step else _snapshot
    return read(dossier, item, now)


def fields_of(
    item: Mapping[str, object], table: Mapping[str, tuple[str, Read]]
) -> tuple[dict[str, Value], list[tuple[str, str]]]:
    """(what could be read, (field, rule broken) of the rest); a field that is absent states nothing."""
    found: dict[str, Value] = {}
    faults = []
    for name, (ours, read) in table.items():
        if name in item:
            try:
                found[ours] = read(item[name])
            except DialectError as error:
                faults.append((name, error.code))
    return found, faults


def _snapshot(dossier: str, item: Mapping[str, object], now: int) -> Message | Fault:
    found, faults = fields_of(item, DOSSIER)
    happened = [found.get(name) for name in HAPPENED]
    try:
        happened += _supplements(item.get(SUPPLEMENTS), found)
    except DialectError as error:
        faults.append((SUPPLEMENTS, error.code))
    faults += _lacking(found, item)
    times = [time for time in happened if isinstance(time, int)]
    return message_of(dossier, found, times, faults, now)


def message_of(
    dossier: str,
    found: dict[str, Value],
    times: list[int],
    faults: list[tuple[str, str]],
    now: int,
) -> Message | Fault:
    """A snapshot, if nothing is wrong with it; it says who handles the dossier, by name or by code."""
    if not faults and not times:
        faults = [("NgayTiepNhan", "missing")]
    if not faults and max(times) > now + DAY:
        faults = [("NgayTiepNhan", "future")]
    if faults:
        return Fault(*faults[0], dossier, found)
    return Message(dossier, max(times), {"unit": None, **found, "step_at": None})


def _lacking(
    found: Mapping[str, Value], item: Mapping[str, object]
) -> Iterator[tuple[str, str]]:
    """What no dossier can do without."""
    for name in ("MaTTHC", "DonViXuLy"):
        if name not in item:
            yield name, "missing"
    if ("status" in found or "TrangThaiHoSo" not in item) and found.get("status") is None:
        yield "TrangThaiHoSo", "missing"
    received = found.get("received_at") or found.get("submitted_at")
    if received is None:
        yield "NgayTiepNhan", "missing"


def _supplements(listed: object, found: dict[str, Value]) -> list[int]:
    """Times of the supplement requests; the latest one's new promise goes into `found`."""
    if listed in (None, ""):
        return []
    if not isinstance(listed, list):
        raise DialectError("list")
    times: list[int] = []
    newest: tuple[int, int] = (0, 0)
    for one in listed:
        if not isinstance(one, dict):
            raise DialectError("object")
        asked, *rest = (instant(one.get(name)) for name in _SUPPLEMENT_TIMES)
        times += [time for time in (asked, *rest) if time is not None]
        promised = instant(one.get("NgayHenTraMoi"))
        if promised is not None:
            newest = max(newest, (asked or 0, promised))
    found["supplement_due_at"] = newest[1] or None
    return times


def _step(dossier: str, item: Mapping[str, object], now: int) -> Message | Fault:
    found, faults = fields_of(item, STEP)
    for name, (ours, _) in STEP.items():
        if not faults and found.get(ours) is None:
            faults.append((name, "missing"))
    at = found.get("step_at")
    if not faults and isinstance(at, int) and at > now + DAY:
        faults.append(("ThoiDiemXuLy", "future"))
    if faults or not isinstance(at, int):
        return Fault(*(faults or [("ThoiDiemXuLy", "missing")])[0], dossier, found)
    return Message(dossier, at, {"status": found["status"], "step_at": at}, step=True)
