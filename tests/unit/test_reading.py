"""Intake's reading: every form next to its refusal, item by item, with reasons in both languages."""

import base64
import json
from collections.abc import Callable

import pytest

from contracts.events import CLAIMS
from services.intake.domain.reading import (
    BATCHED,
    CLAIMS_DOOR,
    DOSSIERS,
    KINDS,
    STRUCTURED,
    Door,
    Read,
    TooManyError,
    UnknownFormError,
    UnreadableBodyError,
)
from tests.support.facts import Fields, claim, dossier

JSON = "application/json"
NDJSON = "application/x-ndjson"
BINARY = {
    "ce-id": "ce-1",
    "ce-specversion": "1.0",
    "ce-source": "dvc.other",
    "ce-type": "dossier.recorded",
}


def encoded(content: object) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode()


def rows(*items: object) -> bytes:
    return b"\n".join(encoded(item) for item in items)


def read(
    body: bytes,
    form: str = JSON,
    headers: Fields | None = None,
    most: int = 10,
    door: Door = DOSSIERS,
) -> Read:
    return door.read(body, form, headers or {}, most)


def enveloped(data: object, **changed: object) -> Fields:
    attributes = {
        "specversion": "1.0",
        "id": "ce-1",
        "source": "dvc.other",
        "type": "dossier.recorded",
    }
    return {**attributes, "data": data, **changed}


def bare(**changed: object) -> Fields:
    """What a CloudEvent's data holds: the event without what the envelope says."""
    return {k: v for k, v in dossier(**changed).items() if k not in {"id", "source", "type"}}


def without(fields: Fields, *names: str) -> Fields:
    return {key: value for key, value in fields.items() if key not in names}


FORMS: dict[str, Callable[[Fields], Read]] = {
    "one object": lambda f: read(encoded(f)),
    "an array": lambda f: read(encoded([f])),
    "NDJSON": lambda f: read(rows(f), NDJSON),
    "binary": lambda f: read(encoded(f), JSON, BINARY),
    "structured": lambda f: read(encoded(enveloped(f)), STRUCTURED),
    "batched": lambda f: read(encoded([enveloped(f)]), BATCHED),
}
each_form = pytest.mark.parametrize("form", FORMS)


@each_form
def test_a_sound_event_is_read_in_every_form(form: str) -> None:
    found = FORMS[form](dossier())
    assert found.rejected == []
    (event,) = found.events
    assert (event.type, event.unit, found.index(0)) == ("dossier.recorded", "31399", 0)


@each_form
def test_a_broken_event_is_refused_in_every_form_with_field_and_expectation(form: str) -> None:
    found = FORMS[form](dossier(version=0))
    assert found.events == []
    ((index, reason),) = found.rejected
    assert (index, reason.field) == (0, "version")
    assert reason.en == "version: must be at least 1"
    assert reason.vi == "version: phải từ 1 trở lên"


@each_form
def test_unknown_fields_are_ignored_in_every_form(form: str) -> None:
    assert len(FORMS[form](dossier(note="x", extra={"big": 10**30})).events) == 1


def test_an_array_keeps_the_order_of_its_items() -> None:
    found = read(encoded([dossier(n) for n in range(5)]))
    assert [event.dossier for event in found.events if event.type == "dossier.recorded"] == [
        f"H30-{n}" for n in range(5)
    ]
    assert [found.index(place) for place in range(5)] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("form", [JSON, "text/json", ""])
def test_plain_json_needs_no_particular_name(form: str) -> None:
    assert len(read(encoded(dossier()), form).events) == 1


@pytest.mark.parametrize(
    "form", ["application/x-ndjson", "application/ndjson", "application/jsonl"]
)
def test_ndjson_has_three_names_and_may_have_empty_lines(form: str) -> None:
    body = b"\n" + encoded(dossier(1)) + b"\r\n\n  \n" + encoded(dossier(2)) + b"\n"
    assert len(read(body, form).events) == 2


def test_an_array_of_nothing_is_nothing() -> None:
    assert read(b"[]").events == []


def test_another_content_type_is_refused() -> None:
    with pytest.raises(UnknownFormError, match="application/xml"):
        read(encoded(dossier()), "application/xml")


@pytest.mark.parametrize("form", [JSON, NDJSON, STRUCTURED, BATCHED])
@pytest.mark.parametrize("body", [b"", b" \r\n\t"])
def test_an_empty_body_is_refused_in_both_languages(form: str, body: bytes) -> None:
    with pytest.raises(UnreadableBodyError) as caught:
        read(body, form)
    assert caught.value.reason.en == "the body is empty"
    assert caught.value.reason.vi == "nội dung gửi lên trống"


DEEP = 100_000


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[{}",
        b"nonsense",
        b'{"a": 1,}',
        b"\xff\xfe",
        b'{"a": "\xff"}',
        b'{"a": "\\ud800"}',
        b"[" * DEEP,
        b"[" * DEEP + b"]" * DEEP,
        b'{"a":' * DEEP,
    ],
    ids=[
        "open",
        "array",
        "word",
        "comma",
        "bom",
        "bytes",
        "surrogate",
        "deep",
        "deep but closed",
        "deep object",
    ],
)
@pytest.mark.parametrize("form", [JSON, STRUCTURED, BATCHED])
def test_a_body_that_is_no_json_is_refused_in_both_languages(body: bytes, form: str) -> None:
    assert read(encoded(dossier())).rejected == []
    with pytest.raises(UnreadableBodyError) as caught:
        read(body, form)
    assert "JSON" in caught.value.reason.vi
    assert "JSON" in caught.value.reason.en


@pytest.mark.parametrize(
    "broken",
    [b"{", b"nonsense", b'{"a": "\xff"}', b"[" * DEEP],
    ids=["open", "word", "bytes", "deep"],
)
def test_a_broken_line_of_ndjson_spoils_no_other(broken: bytes) -> None:
    body = b"\n".join([encoded(dossier(1)), broken, encoded(dossier(2))])
    found = read(body, NDJSON)
    assert [found.index(place) for place in range(len(found.events))] == [0, 2]
    ((index, reason),) = found.rejected
    assert index == 1
    assert reason.vi.startswith("không phải JSON hợp lệ")
    assert reason.en.startswith("not valid JSON")


@pytest.mark.parametrize("item", [None, 1, "text", True, [], [1]])
def test_an_item_that_is_no_object_is_refused_and_the_rest_is_read(item: object) -> None:
    for door, sound in ((DOSSIERS, dossier()), (CLAIMS_DOOR, claim("bulletin.broadcast"))):
        found = read(encoded([item, sound]), door=door)
        assert len(found.events) == 1
        ((index, reason),) = found.rejected
        assert (index, reason.field) == (0, None)
        assert reason.en == "must be a JSON object"
        assert reason.vi == "phải là một đối tượng JSON"


def test_one_broken_of_a_hundred_is_told_and_ninety_nine_are_read() -> None:
    items = [dossier(n) for n in range(100)]
    assert len(read(encoded(items), most=100).events) == 100
    items[41] = without(items[41], "unit")
    for form, body in ((JSON, encoded(items)), (NDJSON, rows(*items))):
        found = read(body, form, most=100)
        assert len(found.events) == 99
        assert [found.index(place) for place in range(99)] == [n for n in range(100) if n != 41]
        ((index, reason),) = found.rejected
        assert (index, reason.field) == (41, "unit")
        assert reason.en == "unit: required, but missing"
        assert reason.vi == "unit: thiếu trường bắt buộc"


@pytest.mark.parametrize("form", [JSON, NDJSON, BATCHED])
def test_more_items_than_allowed_are_refused_and_just_as_many_are_not(form: str) -> None:
    def body(count: int) -> bytes:
        items = [dossier(n) for n in range(count)]
        if form == NDJSON:
            return rows(*items)
        return encoded([enveloped(i) for i in items] if form == BATCHED else items)

    assert len(read(body(3), form, most=3).events) == 3
    with pytest.raises(TooManyError):
        read(body(4), form, most=3)
    broken = encoded([{}] * 4)
    with pytest.raises(TooManyError):
        read(broken, most=3)


# --- CloudEvents --------------------------------------------------------------------------------


def test_source_id_and_type_come_from_the_envelope() -> None:
    for found in (
        read(encoded(bare()), JSON, BINARY),
        read(encoded(enveloped(bare())), STRUCTURED),
        read(encoded([enveloped(bare())]), BATCHED),
    ):
        assert found.rejected == []
        (event,) = found.events
        assert (event.source, event.id, event.type) == ("dvc.other", "ce-1", "dossier.recorded")


def test_the_envelope_goes_before_what_the_data_says() -> None:
    (event,) = read(encoded(enveloped(dossier())), STRUCTURED).events
    assert (event.source, event.id) == ("dvc.other", "ce-1")


def test_the_envelopes_time_stands_in_for_a_missing_moment_only() -> None:
    time = "2023-07-06T00:00:00+07:00"
    for data, moment in (
        (without(bare(), "occurred_at"), "2023-07-06T00:00:00+07:00"),
        (bare(), "2023-07-05T08:30:00+07:00"),
    ):
        (event,) = read(encoded(enveloped(data, time=time)), STRUCTURED).events
        assert event.occurred_at.isoformat() == moment
    (event,) = read(
        encoded(without(bare(), "occurred_at")), JSON, BINARY | {"ce-time": time}
    ).events
    assert event.occurred_at.isoformat() == time


def test_data_may_be_base64() -> None:
    text = base64.b64encode(encoded(bare())).decode()
    found = read(encoded(without(enveloped(None, data_base64=text), "data")), STRUCTURED)
    assert len(found.events) == 1


@pytest.mark.parametrize(
    "text",
    [
        "?",
        "é",
        "/w==",
        "e30",
        "eyJh",
        base64.b64encode(b"[1]").decode(),
        base64.b64encode(b"[" * DEEP).decode(),
        7,
    ],
)
def test_data_that_is_no_base64_of_an_object_is_refused(text: object) -> None:
    sound = enveloped(bare())
    wrong = without(enveloped(None, data_base64=text), "data")
    found = read(encoded([wrong, sound]), BATCHED)
    assert len(found.events) == 1
    ((index, reason),) = found.rejected
    assert index == 0
    assert reason.en == "CloudEvents: data must be a JSON object"
    assert reason.vi == "CloudEvents: data phải là một đối tượng JSON"


@pytest.mark.parametrize("data", [None, 1, "text", [bare()]])
def test_data_that_is_no_object_is_refused_in_both_languages(data: object) -> None:
    assert read(encoded(enveloped(bare())), STRUCTURED).rejected == []
    ((_, reason),) = read(encoded(enveloped(data)), STRUCTURED).rejected
    assert reason.en == "CloudEvents: data must be a JSON object"
    assert reason.vi == "CloudEvents: data phải là một đối tượng JSON"


@pytest.mark.parametrize("version", [None, "0.3", "2.0", 1])
def test_another_version_of_cloudevents_is_refused_in_both_languages(version: object) -> None:
    assert read(encoded(enveloped(bare())), STRUCTURED).rejected == []
    ((_, reason),) = read(encoded(enveloped(bare(), specversion=version)), STRUCTURED).rejected
    assert reason.en.startswith("not a CloudEvent 1.0")
    assert reason.vi.startswith("không phải CloudEvents 1.0")
    headers = BINARY | {"ce-specversion": str(version)}
    ((_, other),) = read(encoded(bare()), JSON, headers).rejected
    assert other == reason


@pytest.mark.parametrize("item", [None, 1, [], {}])
def test_a_batch_item_that_is_no_envelope_spoils_no_other(item: object) -> None:
    found = read(encoded([item, enveloped(bare())]), BATCHED)
    assert (len(found.events), found.index(0)) == (1, 1)
    assert found.rejected[0][1].en.startswith("not a CloudEvent 1.0")


def test_a_batch_must_be_an_array() -> None:
    with pytest.raises(UnreadableBodyError) as caught:
        read(encoded(enveloped(bare())), BATCHED)
    assert (caught.value.reason.vi, caught.value.reason.en) == (
        "phải là một mảng JSON",
        "must be a JSON array",
    )


@pytest.mark.parametrize("name", ["id", "source"])
def test_an_event_that_neither_envelope_nor_data_identify_is_refused(name: str) -> None:
    assert read(encoded(enveloped(bare())), STRUCTURED).rejected == []
    ((_, reason),) = read(encoded(without(enveloped(bare()), name)), STRUCTURED).rejected
    assert reason.field == name
    assert reason.en == f"{name}: required, but missing"
    assert reason.vi == f"{name}: thiếu trường bắt buộc"


# --- reasons ------------------------------------------------------------------------------------

INSTANT = "must be an ISO 8601 instant with offset, for example 2023-07-05T08:30:00+07:00"
LACKS = "lacks its offset, for example 2023-07-05T08:30:00+07:00"
FAULTS: tuple[tuple[str, object, str], ...] = (
    ("version", 0, "must be at least 1"),
    ("version", 2**53 + 1, f"must be at most {2**53}"),
    ("version", 10**30, f"must be at most {2**53}"),
    ("version", 1.5, "must be a whole number"),
    ("version", "3", "must be a whole number"),
    ("version", True, "must be a whole number"),
    ("unit", "", "must not be empty"),
    ("unit", "x" * 65, "longer than 64 characters"),
    ("unit", 31399, "must be text"),
    ("unit", None, "must be text"),
    ("source", "a b", "has not the form "),
    ("status", "gone", "must be one of: 'registered', 'accepted'"),
    ("channel", "Online", "must be one of: 'online', 'counter' or 'post'"),
    ("service_level", 4, "must be one of: 'full', 'partial' or 'information'"),
    ("received_at", "2023-07-05T08:30:00", LACKS),
    ("received_at", "05/07/2023 08:30:00", INSTANT),
    ("received_at", "", INSTANT),
    ("received_at", None, INSTANT),
    ("received_at", 1_688_520_600, INSTANT),
    ("due_at", "2023-02-29T08:30:00+07:00", INSTANT),
    ("due_at", "2023-07-05", INSTANT),
    ("fee_due", "yes", "must be true, false or null"),
    ("digitised", 1, "must be true, false or null"),
)


@pytest.mark.parametrize(("name", "value", "expected"), FAULTS)
def test_a_reason_names_the_field_and_what_was_expected(
    name: str, value: object, expected: str
) -> None:
    ((_, reason),) = read(encoded(dossier(**{name: value}))).rejected
    assert reason.field == name
    assert reason.en.startswith(f"{name}: {expected}")
    assert reason.vi.startswith(f"{name}: ")
    assert reason.vi != reason.en
    assert "valid:" not in reason.en


CLAIM_FAULTS: tuple[tuple[str, str, object, str], ...] = (
    ("figure.reported", "numerator", -1, "must be at least 0"),
    ("figure.reported", "denominator", 10**9, "must be less than 1000000000"),
    ("figure.reported", "period", "2023-13", "has not the form"),
    ("tally.reported", "value", "2", "must be a whole number"),
    ("item.recorded", "done", "yes", "must be true, false"),
    ("item.recorded", "item", "", "must not be empty"),
    ("incident.recorded", "on", "19/07/2023", "must be a date such as 2023-07-05"),
    ("report.received", "month", "2023-Q3", "has not the form"),
    ("report.received", "received_at", "2023-07-13T16:20:00", "lacks its offset"),
    ("article.recorded", "published_on", "soon", "must be a date such as 2023-07-05"),
    (
        "bulletin.broadcast",
        "state",
        "pending",
        "must be one of: 'declared', 'verified' or 'rejected'",
    ),
    ("feedback.recorded", "due_on", None, "must be a date such as 2023-07-05"),
    ("activity.reported", "account", "yes", "must be true, false"),
)


@pytest.mark.parametrize(("kind", "name", "value", "expected"), CLAIM_FAULTS)
def test_a_claim_is_told_its_own_fault_and_no_other_kinds(
    kind: str, name: str, value: object, expected: str
) -> None:
    sound = claim(kind)
    assert read(encoded(sound), door=CLAIMS_DOOR).rejected == []
    ((_, reason),) = read(encoded(sound | {name: value}), door=CLAIMS_DOOR).rejected
    assert reason.field == name
    assert reason.en.startswith(f"{name}: {expected}")
    assert reason.vi.startswith(f"{name}: ")
    assert reason.vi != reason.en


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_claim_is_read_and_lacks_nothing(kind: str) -> None:
    sound = claim(kind)
    (event,) = read(encoded([sound]), door=CLAIMS_DOOR).events
    assert event.type == kind
    ((_, reason),) = read(encoded(without(sound, "subject")), door=CLAIMS_DOOR).rejected
    assert reason.field == "subject"
    assert reason.en == "subject: required, but missing"
    assert reason.vi == "subject: thiếu trường bắt buộc"


def test_the_doors_take_all_kinds_of_claims() -> None:
    assert len(KINDS) == len(CLAIMS) == 10


def test_a_claim_must_say_its_type_and_a_known_one() -> None:
    ((_, missing),) = read(
        encoded(without(claim("bulletin.broadcast"), "type")), door=CLAIMS_DOOR
    ).rejected
    assert "type" in missing.en
    assert "type" in missing.vi
    ((_, wrong),) = read(
        encoded(claim("bulletin.broadcast", type="tea.poured")), door=CLAIMS_DOOR
    ).rejected
    assert "bulletin.broadcast" in wrong.en
    assert "tea" not in wrong.en


@pytest.mark.parametrize(
    ("door", "fields"), [(DOSSIERS, claim("bulletin.broadcast")), (CLAIMS_DOOR, dossier())]
)
def test_an_event_at_the_wrong_door_is_refused(door: Door, fields: Fields) -> None:
    found = read(encoded(fields), door=door)
    assert found.events == []
    assert len(found.rejected) == 1
    assert "type" in found.rejected[0][1].en


def test_all_faults_of_an_item_are_told_at_once_up_to_five() -> None:
    wrong = dossier(
        version=0, status="gone", unit="", channel="fax", fee_due="no", due_at="soon", source=""
    )
    ((_, reason),) = read(encoded(wrong)).rejected
    assert len(reason.en.split("; ")) == 5
    assert len(reason.vi.split("; ")) == 5


def test_a_reason_never_repeats_what_was_sent() -> None:
    person = "Nguyen Van Bi Mat"
    for name in without(dossier(), "id"):
        for rejected in read(encoded(dossier(**{name: [person]}))).rejected:
            assert "Mat" not in rejected[1].en + rejected[1].vi


@pytest.mark.parametrize("source", ["a\n", "a\x1cb", "a\u0085", "a\u00a0b"])
def test_white_space_in_a_source_is_refused_with_a_reason_of_ours(source: str) -> None:
    ((_, reason),) = read(encoded(dossier(source=source))).rejected
    assert reason.field == "source"
    assert reason.vi != reason.en


@pytest.mark.parametrize(
    "written",
    [
        "2023-07-05T08:30+07:00",
        "2023-07-05T08:30:00,5+07:00",
        "2023-07-05 08:30:00+07:00",
        "2023-07-05T08:30:00+0700",
    ],
)
def test_looser_spellings_of_an_instant_are_taken_too(written: str) -> None:
    (event,) = read(encoded(dossier(received_at=written))).events
    assert event.type == "dossier.recorded"
    assert event.received_at.isoformat().startswith("2023-07-05T08:30:00")
