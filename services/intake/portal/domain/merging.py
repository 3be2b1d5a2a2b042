"""One state a dossier, out of snapshots and steps in any order, repeated as often as their senders like.

Each field remembers the source time of the statement that set it; a statement with a later source time wins. Equal
source times: the content that arrived first for the first time loses, and a repeat is known by its digest. So the
order of arrival matters only between different statements about the same instant.
"""

from dataclasses import dataclass, field

from services.intake.portal.domain.dialects import Value
from services.intake.portal.domain.messages import Message

REMEMBERED = 64
"""Digests that a state keeps: a repeat beyond it counts as a new statement."""
PER_MILLISECOND = 1_000
DUE = ("due_at", "supplement_due_at")


@dataclass(frozen=True, slots=True)
class State:
    """What is known of one dossier."""

    fields: dict[str, tuple[Value, int]] = field(default_factory=dict)
    """Field -> (value, source time of the statement that set it)."""
    seen: tuple[str, ...] = ()
    version: int = 0
    """Of the last canonical event; 0: there was none yet."""
    taken: int = 0
    """How many different statements came."""

    def value(self, name: str) -> Value:
        """The value of a field; None when it is none or was never stated."""
        return self.fields.get(name, (None, 0))[0]

    def values(self) -> dict[str, Value]:
        """Every field's value."""
        return {name: value for name, (value, _) in self.fields.items()}

    def instant(self, name: str) -> int | None:
        """The value of a field that holds an instant."""
        value = self.value(name)
        return value if isinstance(value, int) else None

    @property
    def at(self) -> int:
        """The latest source time of all statements."""
        return max((at for _, at in self.fields.values()), default=0)

    @property
    def known(self) -> bool:
        """Whether a snapshot came; steps alone do not make a dossier."""
        return "procedure" in self.fields

    @property
    def due_at(self) -> int | None:
        """The promise that holds: a supplement may move it, never to an earlier day."""
        return max(filter(None, map(self.instant, DUE)), default=None)


def merge(state: State, message: Message) -> State:
    """The state after a statement; the very same state when it was made before."""
    if message.digest in state.seen:
        return state
    fields = dict(state.fields)
    for name, value in message.fields.items():
        held = fields.get(name)
        if held is None or message.at >= held[1]:
            fields[name] = (value, message.at)
    seen = (*state.seen, message.digest)[-REMEMBERED:]
    return State(fields, seen, state.version, state.taken + 1)


def next_version(state: State) -> int:
    """The version of the event that tells this state: above every earlier one, and not below its source time.

    Counting on from the source time in microseconds, it grows even if the states were lost and begin anew; and
    the number of statements tells two states of one instant apart when one was journaled and never stored.
    """
    first = state.at * PER_MILLISECOND + min(state.taken, PER_MILLISECOND - 1)
    return max(state.version + 1, first)
