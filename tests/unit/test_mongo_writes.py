"""Many writes at once: repeats are no error, whatever is not known to be kept is one."""

from typing import Any

import pytest
from pymongo.errors import BulkWriteError

from services.runtime.mongo import DUPLICATE_KEY, write_all

REPEATED = {"code": DUPLICATE_KEY}
FULL = {"code": 14_031}
UNSURE = {"code": 64, "errmsg": "waiting for replication timed out"}


class Refusing:
    """A collection that answers each bulk write with these errors."""

    def __init__(self, **details: Any) -> None:
        self._details = details

    async def bulk_write(self, writes: object, *, ordered: bool) -> None:
        assert writes
        assert not ordered
        raise BulkWriteError(self._details)


async def test_what_is_there_already_is_no_error() -> None:
    await write_all(Refusing(writeErrors=[REPEATED, REPEATED]), ["one", "other"])  # type: ignore[arg-type]
    await write_all(Refusing(writeErrors=[FULL]), [])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "details",
    [
        {"writeErrors": [REPEATED, FULL]},
        {"writeErrors": [REPEATED], "writeConcernErrors": [UNSURE]},
        {"writeErrors": [], "writeConcernErrors": [UNSURE]},
    ],
)
async def test_what_may_not_be_kept_is_an_error(details: dict[str, Any]) -> None:
    with pytest.raises(BulkWriteError):
        await write_all(Refusing(**details), ["one"])  # type: ignore[arg-type]
