"""Stage 4: what one person is told in one mail, and what waits for the digest because the day's budget is spent."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from services.runtime.mongo import Document

SEVERITIES = ("exclusion", "warning", "notice")
"""Gravest first."""
MOST_IN_ONE = 60
"""Alerts in one mail; more make another one."""


@dataclass(slots=True)
class Letter:
    """Notices of one person that go into one mail."""

    person: str
    digest: bool
    reply_to: str = ""
    """The mail whose thread it continues."""
    notices: list[Document] = field(default_factory=list)

    @property
    def severity(self) -> str:
        """The gravest among them."""
        return str(min((n["severity"] for n in self.notices), key=SEVERITIES.index))


def grouped(notices: Iterable[Document]) -> list[Letter]:
    """Notices as letters, each person's together, threads and digests apart."""
    letters: dict[tuple[str, bool, str], Letter] = {}
    for notice in notices:
        key = notice["person"], bool(notice["digest"]), notice.get("reply_to", "")
        letters.setdefault(key, Letter(*key)).notices.append(notice)
    found = []
    for letter in letters.values():
        ordered = sorted(
            letter.notices, key=lambda n: (SEVERITIES.index(n["severity"]), n["at"], n["_id"])
        )
        for at in range(0, len(ordered), MOST_IN_ONE):
            part = ordered[at : at + MOST_IN_ONE]
            found.append(Letter(letter.person, letter.digest, letter.reply_to, part))
    return found


def over_budget(letter: Letter, sent_today: int, budget: int) -> bool:
    """Whether a letter waits for the digest: exclusions, digests and follow-ups never do."""
    follows = bool(letter.reply_to)
    return (
        not letter.digest
        and not follows
        and letter.severity != "exclusion"
        and sent_today >= budget
    )


def message_id(letter: Letter, domain: str) -> str:
    """The Message-ID: the same person and notices give the same one, whatever happens in between."""
    content = "\n".join([letter.person, *sorted(n["_id"] for n in letter.notices)])
    return f"<{hashlib.sha256(content.encode()).hexdigest()[:32]}@{domain}>"
