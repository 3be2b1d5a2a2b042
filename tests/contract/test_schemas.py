"""The events are frozen: what a schema asks, what a golden example says, and that both decoders take the same."""

import copy
import dataclasses
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from pydantic import BaseModel, ValidationError

from contracts.wire import content_hash, fact_id, from_line, to_event, to_line
from services.asyncapi import PackAnnounced
from services.runtime.consuming import UndecodableEntryError, from_entry
from services.runtime.journal import Pack
from tests.contract.freeze import (
    EVENTS,
    FOLDER,
    breaks,
    example_file,
    read,
    schema_file,
    schema_of,
)
from tests.support.facts import KINDS, MODELS, Fields, claims, dossier, dossiers

HOW = (
    "{kind} is no longer what {file} froze: {faults}\n"
    "Is it an optional field? Then `python -m tests.contract.freeze` and a line in contracts/CHANGELOG.md.\n"
    "Anything else: a new version of the event, with an upcaster."
)
INDICATOR_KINDS = ("dossier.recorded", *KINDS)
everywhere = pytest.mark.parametrize("kind", EVENTS)


@everywhere
def test_the_schema_is_the_frozen_one(kind: str) -> None:
    file = schema_file(kind)
    assert file.exists(), f"{kind} is new: python -m tests.contract.freeze"
    frozen, today = read(file), schema_of(kind)
    faults = "; ".join(breaks(frozen, today)) or "an optional field is new"
    assert frozen == today, HOW.format(kind=kind, file=file.name, faults=faults)


def test_nothing_is_frozen_that_is_no_event() -> None:
    wanted = {path.name for kind in EVENTS for path in (schema_file(kind), example_file(kind))}
    assert {path.name for path in FOLDER.iterdir()} == wanted


FIGURE = "figure.reported"
HARMFUL: dict[str, Callable[[Any], object]] = {
    "properties.unit: is gone": lambda s: s["properties"].pop("unit"),
    "properties.unit.maxLength: was 64, is 32": lambda s: s["properties"]["unit"].update(
        maxLength=32
    ),
    "properties.unit.minLength: is gone": lambda s: s["properties"]["unit"].pop("minLength"),
    "properties.unit.format: is new": lambda s: s["properties"]["unit"].update(format="code"),
    "properties.state.enum: was": lambda s: s["properties"]["state"]["enum"].append("pending"),
    "required: was": lambda s: s["required"].append("part"),
}


@pytest.mark.parametrize("fault", HARMFUL)
def test_a_change_that_harms_a_reader_is_named(fault: str) -> None:
    changed = copy.deepcopy(schema_of(FIGURE))
    HARMFUL[fault](changed)
    assert any(found.startswith(fault) for found in breaks(schema_of(FIGURE), changed))


def test_an_added_field_harms_nobody_while_it_is_optional() -> None:
    changed = copy.deepcopy(schema_of(FIGURE))
    changed["properties"]["note"] = {"type": "string"}
    assert not list(breaks(schema_of(FIGURE), changed))
    closed = schema_of("plan.published")
    opened = copy.deepcopy(closed)
    opened["$defs"]["Plan"]["properties"]["note"] = {"type": "string"}
    assert not list(breaks(closed, opened))
    opened["$defs"]["Plan"]["required"].append("note")
    (fault,) = breaks(closed, opened)
    assert fault.startswith("$defs.Plan.required: was")


@everywhere
def test_the_golden_example_parses_and_goes_round(kind: str) -> None:
    model: type[BaseModel] = EVENTS[kind]
    event = model.model_validate_json(example_file(kind).read_bytes())
    assert model.model_validate_json(event.model_dump_json()) == event


@everywhere
def test_unknown_fields_are_ignored(kind: str) -> None:
    model: type[BaseModel] = EVENTS[kind]
    example = read(example_file(kind))
    newer = example | {"added_later": {"anything": [1]}}
    assert model.model_validate_json(json.dumps(newer)) == model.model_validate_json(
        json.dumps(example)
    )


@pytest.mark.parametrize("kind", INDICATOR_KINDS)
def test_the_golden_example_parses_in_the_compiled_image_too(kind: str) -> None:
    example = read(example_file(kind))
    event = to_event(example)
    assert_equal(event, MODELS[kind].model_validate_json(json.dumps(example)))
    line = to_line(event)
    assert from_line(line) == event
    assert to_line(from_line(line)) == line
    assert to_line(to_event(example | {"added_later": 1})) == line


@pytest.mark.parametrize("kind", INDICATOR_KINDS)
def test_a_line_has_all_fields_in_their_order_and_the_id_last(kind: str) -> None:
    line = to_line(to_event(read(example_file(kind))))
    names = list(json.loads(line))
    assert set(names) == set(MODELS[kind].model_fields)
    assert names[-1] == "id"
    if kind == "dossier.recorded":
        assert names[:-1] == sorted(names[:-1])


@pytest.mark.parametrize("kind", INDICATOR_KINDS)
def test_the_content_hash_is_that_of_all_but_the_id(kind: str) -> None:
    example = read(example_file(kind))
    line = to_line(to_event(example))
    sly = to_line(to_event(example | {"id": 'x","id":"y'}))
    assert content_hash(sly) == content_hash(line)
    other = to_line(to_event(example | {"version": 99}))
    assert content_hash(other) != content_hash(line)


def test_facts_of_different_kinds_and_sources_never_share_a_key() -> None:
    keys = {fact_id(to_event(read(example_file(kind)))) for kind in INDICATOR_KINDS}
    assert len(keys) == len(INDICATOR_KINDS)
    claim = to_event(read(example_file(FIGURE)))
    named_alike = dossier(source=claim.source, dossier=fact_id(claim).split(" ", 1)[1])
    assert fact_id(to_event(named_alike)) != fact_id(claim)


# --- model and image agree ------------------------------------------------------------------


def assert_equal(image: object, model: BaseModel) -> None:
    """The same value in every field; of a part of a microsecond the image rounds and the model cuts."""
    for name in type(model).model_fields:
        ours, theirs = getattr(image, name), getattr(model, name)
        if isinstance(ours, datetime) and isinstance(theirs, datetime):
            assert timedelta() <= ours - theirs <= timedelta(microseconds=1), name
        else:
            assert ours == theirs, name


def compact(fields: Fields) -> bytes:
    """As lines are written: no white space between."""
    return json.dumps(fields, separators=(",", ":")).encode()


def taken_by_image(content: bytes) -> object | None:
    try:
        return from_line(content)
    except ValueError:
        return None


def assert_agreement(content: bytes, kind: str) -> None:
    """What the image takes the model takes, with equal values."""
    image = taken_by_image(content)
    if image is None:
        return
    assert getattr(image, "type", None) == kind
    try:
        model = MODELS[kind].model_validate_json(content)
    except ValidationError as error:
        pytest.fail(f"the image takes what the model refuses: {content!r}\n{error}")
    assert_equal(image, model)


payloads = dossiers() | claims()
agreement = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
STRANGE: tuple[object, ...] = (
    None,
    True,
    0,
    -1,
    1,
    3.0,
    1e3,
    2**53,
    2**53 + 1,
    10**9 - 1,
    10**9,
    10**30,
    "",
    " ",
    "a b",
    "a\n",
    "a\x1cb",
    "a\u200bb",
    "đơn vị",
    "x" * 64,
    "x" * 65,
    "é" * 100,
    "é" * 101,
    "x" * 200,
    "x" * 201,
    "2023",
    "2023-07",
    "2023-07\n",
    "2023-Q3",
    "2023-Q5",
    "2023-13",
    "٢٠٢٣-07",
    "2023-07-11",
    "2023-07-11\n",
    "2023-02-29",
    "2023-7-11",
    "20230711",
    "2023-07-11T00:00:00",
    "2023-07-11T00:00:00Z",
    "2023-07-11 08:30:00Z",
    "2023-07-11t08:30:00z",
    "2023-07-11T08:30Z",
    "2023-07-11T08:30:00+0700",
    "2023-07-11T08:30:00+07",
    "2023-07-11T08:30:00-00:00",
    "2023-07-11T08:30:00+23:59",
    "2023-07-11T08:30:00+24:00",
    "2023-07-11T24:00:00Z",
    "2023-07-11T23:59:60Z",
    "2023-07-11T08:30:00.5Z",
    "2023-07-11T08:30:00.1234565Z",
    "2023-06-30T23:59:59.9999999+07:00",
    "0001-01-01T00:00:00Z",
    "9999-12-31T16:59:59+00:00",
    1_688_520_600,
    "declared",
    "rejected",
    "verified ",
    "online",
    "Online",
    "dossier.recorded",
    "figure.reported",
    [],
    ["online"],
    {},
)


@agreement
@given(payloads)
def test_image_and_model_take_the_same_sound_events(fields: Fields) -> None:
    content = compact(fields)
    assert taken_by_image(content) is not None
    assert_agreement(content, fields["type"])


@agreement
@given(payloads, st.data())
def test_what_the_image_takes_of_spoilt_events_the_model_takes(
    fields: Fields, data: st.DataObject
) -> None:
    kind = fields["type"]
    name = data.draw(st.sampled_from([field for field in fields if field != "type"]))
    if data.draw(st.booleans()):
        spoilt = fields | {name: data.draw(st.sampled_from(STRANGE) | st.text(max_size=8))}
    else:
        spoilt = {field: value for field, value in fields.items() if field != name}
    assert_agreement(compact(spoilt), kind)


@pytest.mark.parametrize("kind", INDICATOR_KINDS)
def test_image_and_model_agree_on_every_strange_value_in_every_field(kind: str) -> None:
    example = read(example_file(kind))
    apart = []
    for name in MODELS[kind].model_fields:
        if name == "type":
            continue
        for value in STRANGE:
            content = compact(example | {name: value})
            try:
                assert_agreement(content, kind)
            except (AssertionError, pytest.fail.Exception):
                apart.append((name, value))
    assert apart == [], apart


@pytest.mark.parametrize("kind", INDICATOR_KINDS)
def test_a_required_field_is_required_by_both(kind: str) -> None:
    example = read(example_file(kind))
    for name, field in MODELS[kind].model_fields.items():
        less = {key: value for key, value in example.items() if key != name}
        content = compact(less)
        if field.is_required():
            with pytest.raises(ValidationError):
                MODELS[kind].model_validate_json(content)
            assert taken_by_image(content) is None, name
        elif name != "type":
            assert_agreement(content, kind)
            assert taken_by_image(content) is not None, name


def test_a_line_that_is_no_event_is_a_value_error() -> None:
    for line in (b"", b"{", b"[]", b"null", b'{"type":"tea.poured"}', b'{"a":"\xff"}'):
        with pytest.raises(ValueError):  # noqa: PT011 - whatever the decoder calls it
            from_line(line)


# --- the envelope ---------------------------------------------------------------------------


def entry_of(fields: dict[str, Any]) -> dict[bytes, bytes]:
    """As Redis hands it over: everything is bytes."""
    return {name.encode(): str(value).encode() for name, value in fields.items()}


REQUIRED = [name for name, field in PackAnnounced.model_fields.items() if field.is_required()]


def test_a_pack_is_announced_as_the_contract_says() -> None:
    at = datetime(2023, 7, 10, 3, 15, tzinfo=UTC)
    pack = Pack("01893d2f6a40a1b2c3d4e5f", "indicator", 3, at, 2, b'{"a":1}\n{"b":2}')
    entry = pack.entry()
    assert set(entry) == set(REQUIRED)
    traced = dataclasses.replace(pack, traces=("00-1-2-01", "00-3-4-01"), shards=4).entry()
    assert set(traced) == set(PackAnnounced.model_fields)
    assert traced["traces"] == "00-1-2-01 00-3-4-01"
    assert traced["shards"] == 4
    as_text = {n: v.decode() if isinstance(v, bytes) else v for n, v in entry.items()}
    told = PackAnnounced.model_validate(as_text)
    assert (told.id, told.shard, told.at, told.count) == (pack.id, 3, at, 2)


def test_the_golden_pack_is_read_from_a_stream_and_holds_events() -> None:
    example = read(example_file("pack.announced"))
    pack = from_entry(entry_of(example))
    assert (pack.id, pack.topic, pack.shard, pack.count) == (
        example["id"],
        example["topic"],
        example["shard"],
        example["count"],
    )
    assert pack.accepted_at == datetime.fromisoformat(example["at"])
    assert [from_line(line).type for line in pack.lines] == ["dossier.recorded", FIGURE]
    assert from_entry(entry_of(example | {"added_later": 1})) == pack


@pytest.mark.parametrize("name", REQUIRED)
def test_a_pack_that_lacks_a_field_is_refused(name: str) -> None:
    example = read(example_file("pack.announced"))
    del example[name]
    with pytest.raises(UndecodableEntryError):
        from_entry(entry_of(example))


def test_a_pack_whose_count_is_wrong_is_refused() -> None:
    example = read(example_file("pack.announced"))
    with pytest.raises(UndecodableEntryError, match="count and body differ"):
        from_entry(entry_of(example | {"count": 3}))


def test_lines_are_compact_json_without_line_feeds() -> None:
    line = to_line(to_event(dossier(dossier="a\nb")))
    assert b"\n" not in line
    assert msgspec.json.decode(line)["dossier"] == "a\nb"
