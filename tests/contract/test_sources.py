"""The mappings of other machine sources: every example of the document is accepted, and counts for somebody."""

import json
import re

import httpx

from services.runtime.settings import Settings
from tests.support.portal import ROOT, portal

EXAMPLES = re.findall(
    r"^```json\n(.*?)^```",
    (ROOT / "docs/sources.md").read_text("utf-8"),
    re.MULTILINE | re.DOTALL,
)


async def test_every_example_of_the_document_is_accepted(settings: Settings) -> None:
    events = [json.loads(example) for example in EXAMPLES]
    assert {event["source"].partition(".")[0] for event in events} == {
        "khaosat", "vanban", "mail", "phananh"
    }  # fmt: skip
    async with portal(settings) as door:
        answer = await door.client.post("/api/v1/indicator-events", json=events)
        assert answer.json() == {"accepted": len(events), "quarantined": 0, "rejected": []}
        row = await door.row()
        assert {code for code, (_, whole) in row.counters.items() if whole} >= {
            "X1",
            "X4",
            "X5",
            "X23",
        }
        again = await door.client.post("/api/v1/indicator-events", json=events)
        assert again.status_code == httpx.codes.ACCEPTED


def test_there_is_an_example_for_each_mapping() -> None:
    assert len(EXAMPLES) == 5
