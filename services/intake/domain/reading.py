"""From a request's body to events: JSON, NDJSON and CloudEvents, each item judged by itself.

The whole batch is decoded at once; only a batch with a fault in it is gone through item by item.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, cast

import msgspec
from pydantic import Field, TypeAdapter, ValidationError

from contracts.events import CLAIMS, AnyClaim, DossierRecorded, IndicatorEvent
from contracts.wire import CLAIM, DOSSIER
from services.intake.domain.reasons import Reason, foreign, not_json, reason_of, said

STRUCTURED = "application/cloudevents+json"
BATCHED = "application/cloudevents-batch+json"
NDJSON = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})
JSON = frozenset({"application/json", "text/json", ""})
SPEC_VERSION = "1.0"


class UnreadableBodyError(ValueError):
    """No item can be told from another: the body is empty or no JSON."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.en)
        self.reason = reason


class UnknownFormError(ValueError):
    """The content type is none that a door understands."""


class TooManyError(ValueError):
    """More items than one request may carry."""


@dataclass(slots=True)
class Read:
    """What a body held: events with their index in it, and what could not be understood."""

    events: list[IndicatorEvent]
    indexes: list[int] | None = None
    """Index of each event; None: all items are events, in order."""
    rejected: list[tuple[int, Reason]] = field(default_factory=list)

    def index(self, place: int) -> int:
        """The index in the body of the event at this place."""
        return place if self.indexes is None else self.indexes[place]

    def keep_only(self, source: str) -> None:
        """Reject what bears another source than the one that its sender is bound to."""
        if all(event.source == source for event in self.events):
            return
        reason = foreign(source)
        kept = [place for place, event in enumerate(self.events) if event.source == source]
        others = set(range(len(self.events))) - set(kept)
        self.rejected += [(self.index(place), reason) for place in sorted(others)]
        self.indexes = [self.index(place) for place in kept]
        self.events = [self.events[place] for place in kept]


class Door:
    """Reads one family of events."""

    def __init__(self, image: Any, model: Any) -> None:  # noqa: ANN401 - types are values here
        self._many = msgspec.json.Decoder(list[image])
        self._one = msgspec.json.Decoder(image)
        self._model: TypeAdapter[IndicatorEvent] = TypeAdapter(model)

    def read(self, body: bytes, form: str, headers: Mapping[str, str], most: int) -> Read:
        """The events of a body.

        Raises:
            UnreadableBodyError: the body is empty or no JSON.
            UnknownFormError: the content type is not understood.
            TooManyError: it holds more than `most` items.
        """
        if not body.strip():
            raise UnreadableBodyError(said("empty"))
        if form in JSON and "ce-id" not in headers:
            try:
                single = body.lstrip()[:1] == b"{"
                events = [self._one.decode(body)] if single else self._many.decode(body)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                pass
            else:
                _limit(len(events), most)
                return Read(cast("list[IndicatorEvent]", events))
        items = _items(body, form, headers)
        _limit(len(items), most)
        return self._one_by_one(items)

    def _one_by_one(self, items: list[Any]) -> Read:
        read = Read([], [])
        for index, item in enumerate(items):
            if isinstance(item, Reason):
                read.rejected.append((index, item))
                continue
            try:
                event = self._event(item)
            except ValidationError as error:
                read.rejected.append((index, reason_of(error, item)))
            except msgspec.ValidationError as error:
                read.rejected.append((index, Reason(None, str(error), str(error))))
            else:
                read.events.append(event)
                cast("list[int]", read.indexes).append(index)
        return read

    def _event(self, item: Any) -> IndicatorEvent:  # noqa: ANN401 - any JSON
        encoded = msgspec.json.encode(item)
        try:
            return cast("IndicatorEvent", self._one.decode(encoded))
        except msgspec.DecodeError:
            model = self._model.validate_json(encoded)
            return cast("IndicatorEvent", self._one.decode(model.model_dump_json().encode()))


def _limit(count: int, most: int) -> None:
    if count > most:
        raise TooManyError(str(count))


def _items(body: bytes, form: str, headers: Mapping[str, str]) -> list[Any]:
    if "ce-id" in headers:
        attributes = {k[3:]: v for k, v in headers.items() if k.startswith("ce-")}
        return [_opened({**attributes, "data": _json(body)})]
    if form == STRUCTURED:
        return [_opened(_json(body))]
    if form == BATCHED:
        batch = _json(body)
        if not isinstance(batch, list):
            raise UnreadableBodyError(said("batch"))
        return [_opened(item) for item in batch]
    if form in NDJSON:
        return [_line(line) for line in body.splitlines() if line.strip()]
    if form not in JSON:
        raise UnknownFormError(form)
    content = _json(body)
    return content if isinstance(content, list) else [content]


def _json(body: bytes) -> Any:  # noqa: ANN401 - any JSON
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableBodyError(not_json(error)) from error


def _line(line: bytes) -> Any:  # noqa: ANN401 - any JSON
    try:
        return msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return not_json(error)


def _opened(envelope: Any) -> Any:  # noqa: ANN401 - any JSON
    """The event inside a CloudEvents envelope: its data, with source, id and type from outside."""
    if not isinstance(envelope, dict) or envelope.get("specversion") != SPEC_VERSION:
        return said("envelope")
    content = envelope.get("data")
    if content is None and isinstance(envelope.get("data_base64"), str):
        try:
            content = msgspec.json.decode(
                base64.b64decode(envelope["data_base64"], validate=True)
            )
        except (ValueError, RecursionError):
            return said("data")
    if not isinstance(content, dict):
        return said("data")
    outside = {name: envelope[name] for name in ("source", "id", "type") if name in envelope}
    if "occurred_at" not in content and "time" in envelope:
        outside["occurred_at"] = envelope["time"]
    return {**content, **outside}


DOSSIERS = Door(DOSSIER, DossierRecorded)
_ANY: Any = Annotated[AnyClaim, Field(discriminator="type")]
CLAIMS_DOOR = Door(CLAIM, _ANY)
KINDS = tuple(claim.model_fields["type"].default for claim in CLAIMS)
