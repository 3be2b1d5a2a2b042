"""The AsyncAPI document tells of everything that `contracts/streams.py` declares."""

from pathlib import Path
from typing import Any

import pytest

from contracts.events import Event
from contracts.streams import TOPICS, Topic
from services.asyncapi import FILE, document, event_type, write

CARRIED = [(topic, event) for topic in TOPICS for event in topic.events]


@pytest.fixture(scope="module", name="told")
def _told() -> dict[str, Any]:
    return document()


@pytest.mark.parametrize(
    ("topic", "event"), CARRIED, ids=[event_type(event) for _, event in CARRIED]
)
@pytest.mark.parametrize(("side", "action"), [("sent", "send"), ("read", "receive")])
def test_every_event_is_sent_and_read_on_its_topic(
    told: dict[str, Any], topic: Topic, event: type[Event], side: str, action: str
) -> None:
    name = f"{topic.name}.{event_type(event)}.{side}"
    channel = told["channels"][name]
    assert channel["address"].startswith(f"{topic.name}.")
    people = topic.producers if side == "sent" else topic.consumers
    assert all(who in channel["description"] for who in people)
    assert told["operations"][name]["action"] == action
    schema = told["components"]["schemas"][event.__name__]
    assert set(schema["properties"]) == set(event.model_fields)


def test_it_is_asyncapi_3_and_tells_of_packs(told: dict[str, Any]) -> None:
    assert told["asyncapi"].startswith("3.")
    assert "PackAnnounced" in told["components"]["schemas"]
    assert len(told["channels"]) == 2 * (
        len(CARRIED) + sum(topic.journaled for topic in TOPICS)
    )


def test_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    first = write(tmp_path / "one")
    second = write(tmp_path / "two")
    assert first.name == FILE
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes().endswith(b"}\n")
