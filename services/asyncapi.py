"""The AsyncAPI document of the topology: every event, the topic that carries it, who sends and who reads it."""

import json
from pathlib import Path
from typing import Annotated, Any

from faststream.redis import RedisBroker
from faststream.specification import AsyncAPI
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from contracts.events import Event
from contracts.streams import TOPICS, Topic

FILE = "asyncapi.json"
VERSION = "1.0.0"
"""Of the contracts together; an optional field more raises the second number."""
_ABOUT = (
    "Each stream entry of a journaled topic is a *pack*: up to some hundred events, one line of "
    "JSON each, as `PackAnnounced` says; an entry of another topic has one event as its `body`. "
    "The messages below are those events. What is journaled can be read back from the journal; "
    "streams are trimmed and may lose everything."
)


class PackAnnounced(BaseModel):
    """A pack of events on a Redis stream: what was appended to the journal together.

    Producer: whoever appends to the journal. Consumers: all consumers of the topic. Sent when the journal has
    acknowledged the pack; it may be lost or come twice. Every field of the stream entry is text.
    """

    model_config = ConfigDict(extra="ignore")

    id: Annotated[str, Field(pattern="^[0-9a-f]{23}$")]
    """Sorts by the real millisecond of its making (the first eleven digits)."""
    topic: Annotated[str, Field(min_length=1)]
    shard: Annotated[int, Field(ge=0)]
    at: AwareDatetime
    """When it was accepted."""
    count: Annotated[int, Field(ge=1)]
    """How many lines the body has."""
    body: Annotated[str, Field(min_length=1)]
    """Events as compact JSON, joined by line feeds."""
    traces: str = ""
    """`traceparent` of the requests that it came of, with spaces between, where they are traced."""
    shards: Annotated[int, Field(ge=0)] = 0
    """Into how many shards its writer divided the facts; 0 when it did not say."""


def document() -> dict[str, Any]:
    """The whole document, AsyncAPI 3.0."""
    broker = RedisBroker("redis://127.0.0.1:6379")
    for topic in TOPICS:
        carried: list[type[BaseModel]] = [*topic.events]
        if topic.journaled:
            carried.append(PackAnnounced)
        for event in carried:
            _declare(broker, topic, event)
    specification = AsyncAPI(
        broker,
        title="Thi Đua",
        version=VERSION,
        description=_ABOUT,
        license={"name": "Apache-2.0"},
        schema_version="3.0.0",
    ).to_specification()
    content: dict[str, Any] = specification.to_jsonable()
    return content


def event_type(event: type[BaseModel]) -> str:
    """The event's name on the wire."""
    field = event.model_fields.get("type")
    return "pack.announced" if field is None else str(field.default)


def _declare(broker: RedisBroker, topic: Topic, event: type[BaseModel]) -> None:
    stream = f"{topic.name}.{{shard}}" if topic.sharded else f"{topic.name}.0"
    name = f"{topic.name}.{event_type(event)}"
    journal = "journaled" if topic.journaled else "not journaled"
    facts = f"{topic.meaning} Topic `{topic.name}`, {journal}."
    broker.publisher(
        stream=stream,
        schema=event,
        title=f"{name}.sent",
        description=f"{facts} Sent by: {', '.join(topic.producers)}.",
    )
    subscriber = broker.subscriber(
        stream=stream,
        title=f"{name}.read",
        description=f"{facts} Read by: {', '.join(topic.consumers)}.",
    )
    subscriber(_reader_of(event))


def _reader_of(event: type[BaseModel]) -> Any:  # noqa: ANN401 - a handler that only shows its type
    async def read(message: Event) -> None:
        """Stands for the consumers."""

    read.__annotations__ = {"message": event, "return": None}
    read.__doc__ = event.__doc__
    return read


def write(folder: Path) -> Path:
    """Write the document into the folder; the same topology gives the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / FILE
    text = json.dumps(document(), ensure_ascii=False, indent=1, sort_keys=True)
    target.write_text(f"{text}\n", encoding="utf-8")
    return target
