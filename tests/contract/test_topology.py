"""The topology is complete: every event has one topic, a sender, a reader, and words that say when it is sent."""

import inspect
import re

import pytest

from contracts import events as module, packages, submissions, subtotals
from contracts.events import Claim, Event
from contracts.streams import TOPICS, Topic

CARRIED = [(topic, event) for topic in TOPICS for event in topic.events]
each = pytest.mark.parametrize(
    ("topic", "event"), CARRIED, ids=[e.__name__ for _, e in CARRIED]
)


def words_of(event: type[Event]) -> str:
    assert event.__doc__ is not None
    return " ".join(event.__doc__.split())


def clause(event: type[Event], word: str) -> str:
    """What stands after `Producer:` or `Consumers:`, up to the end of the sentence."""
    (found,) = re.findall(rf"\b{word}: (.+?)\.(?= |$)", words_of(event))
    return str(found)


def test_every_event_has_exactly_one_topic() -> None:
    carried = [event for _, event in CARRIED]
    assert len(carried) == len(set(carried))
    sent = {
        found
        for declaring in (module, submissions, packages, subtotals)
        for _, found in inspect.getmembers(declaring, inspect.isclass)
        if issubclass(found, Event) and "type" in found.model_fields
    }
    assert sent == set(carried)


def test_names_of_topics_and_events_are_unique() -> None:
    names = [topic.name for topic in TOPICS]
    assert len(names) == len(set(names))
    kinds = [event.model_fields["type"].default for _, event in CARRIED]
    assert len(kinds) == len(set(kinds))


@pytest.mark.parametrize("topic", TOPICS, ids=[topic.name for topic in TOPICS])
def test_every_topic_has_a_sender_a_reader_and_a_meaning(topic: Topic) -> None:
    assert topic.producers
    assert topic.consumers
    assert topic.meaning.endswith(".")


@each
def test_the_docstring_names_the_senders_and_readers_of_the_topic(
    topic: Topic, event: type[Event]
) -> None:
    producers, consumers = clause(event, "Producer"), clause(event, "Consumers")
    assert [who for who in topic.producers if who not in producers] == []
    assert [who for who in topic.consumers if who not in consumers] == []


@each
def test_the_docstring_says_what_happened_and_when_it_is_sent(
    topic: Topic, event: type[Event]
) -> None:
    first = words_of(event).split(" Producer:")[0]
    assert first.endswith("."), "the first sentence says what happened"
    assert len(re.findall(r"\bSent (when|by|once)\b", words_of(event))) == 1


@each
def test_the_name_is_a_noun_and_a_past_participle(topic: Topic, event: type[Event]) -> None:
    noun, done = re.findall(r"[A-Z][a-z]+", event.__name__)
    assert event.model_fields["type"].default == f"{noun.lower()}.{done.lower()}"


@each
def test_an_event_ignores_unknown_fields_and_converts_nothing(
    topic: Topic, event: type[Event]
) -> None:
    assert event.model_config["extra"] == "ignore"
    assert event.model_config["strict"] is True


def test_events_that_can_be_repeated_have_an_id() -> None:
    journaled = [event for topic, event in CARRIED if topic.journaled]
    assert [e.__name__ for e in journaled if not e.model_fields["id"].is_required()] == []


def test_every_claim_belongs_to_the_topic_of_facts() -> None:
    claims = {event for topic, event in CARRIED if issubclass(event, Claim)}
    assert {topic.name for topic, event in CARRIED if event in claims} == {"indicator"}
    assert claims == set(module.CLAIMS)
