"""Payloads as no sender should write them: good ones, mutated at random."""

import json
import random
import string
from typing import Any

from tests.support.portal import SAMPLES, dossier

_STRANGE: list[Any] = [
    None, "", " ", 0, -1, 1, 10**30, 1e308, 0.5, True, False, [], {}, [[]], [None], {"a": {}}, "\u0000",
    "\ud7ff", "👍" * 50, "x" * 5_000, "20230705083000", "99999999999999", "00000000000000",
    "2023-07-05T08:30:00Z", "0001-01-01", "9999-12-31T23:59:59+14:00", "32/13/2023", "5/7/2023 8:30",
    "True", "11", "-1", "NaN", "Infinity",
    "\N{MATHEMATICAL DOUBLE-STRUCK DIGIT ONE}", "\N{ARABIC-INDIC DIGIT ONE}",
    "1\n", "UBND xã Tân Bình", "H30.1-1-1",
]  # fmt: skip
_BYTES = [b"", b"[", b"]", b"{}", b"null", b'"', b"\xff", b"\\u0000", b"[" * 3_000, b"1e999"]
ENVELOPES = ("envelope_create", "envelope_update_finished_paid", "steps")


def mutated(chance: random.Random, good: str) -> tuple[bytes, bool]:
    """(a request's body, whether the dossier `good` in it is untouched)."""
    if chance.random() < 0.1:
        return _broken_bytes(chance), False
    neighbour = dossier(MaHoSo=good)
    items: list[Any] = [_item(chance) for _ in range(chance.randint(1, 4))]
    items.insert(chance.randint(0, len(items)), neighbour)
    content: Any = items
    if chance.random() < 0.5:
        content = {"service": "DongBoHoSoMC", "isUpdating": "False", "data": items}
    return json.dumps(content).encode(), True


def _broken_bytes(chance: random.Random) -> bytes:
    body = bytearray(json.dumps(SAMPLES[chance.choice(ENVELOPES)]).encode())
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(body))
        body[at : at + chance.randint(0, 4)] = chance.choice(_BYTES)
    return bytes(body)


def _item(chance: random.Random) -> Any:
    if chance.random() < 0.05:
        return chance.choice(_STRANGE)
    item: dict[str, Any] = dict(
        chance.choice(
            [dossier(), SAMPLES["supplement_moves_promise"][0], SAMPLES["steps"]["data"][0]]
        )
    )
    item["MaHoSo"] = f"H30.99.01-230705-{chance.randint(0, 999):04}"
    for _ in range(chance.randint(1, 5)):
        name = chance.choice([*item, "".join(chance.choices(string.ascii_letters, k=5))])
        if chance.random() < 0.2:
            item.pop(name, None)
        else:
            item[name] = _value(chance)
    return item


def _value(chance: random.Random) -> Any:
    if chance.random() < 0.6:
        return chance.choice(_STRANGE)
    size = chance.randint(0, 30)
    return "".join(chr(chance.randint(1, 0x2FFF)) for _ in range(size))
