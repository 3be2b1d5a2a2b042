"""Stage 5: a letter as bytes for the mail server: plain text and HTML, with the headers that keep robots quiet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.header import Header, decode_header, make_header
from email.message import Message
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.utils import format_datetime, formataddr
from pathlib import Path
from typing import Any

from itsdangerous import BadSignature, URLSafeSerializer
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from services.notifier.pipeline.group import Letter, message_id
from services.notifier.pipeline.route import Contact
from services.notifier.settings import NotifierSettings
from services.notifier.wording import Alert, severity_in_words
from services.runtime.clock import wall_now
from services.runtime.web.formats import Lang
from services.runtime.web.i18n import Words

FOLDER = Path(__file__).parents[1] / "templates"


@dataclass(frozen=True, slots=True)
class Item:
    """One alert of a letter, with what is only true for this person."""

    alert: Alert
    form: str
    link: str
    acknowledge: str
    """Address of the page that acknowledges it; empty: nothing to acknowledge."""
    note: str = ""


class Signer:
    """Makes and reads the links with which a notice is acknowledged."""

    def __init__(self, secret: str) -> None:
        self._serializer = URLSafeSerializer(secret, salt="acknowledge")

    def sign(self, notice: str) -> str:
        """What stands in the link."""
        return str(self._serializer.dumps(notice))

    def read(self, signed: str) -> str | None:
        """The notice of a link; None: not ours."""
        try:
            return str(self._serializer.loads(signed))
        except BadSignature:
            return None


class Composer:
    """Writes mails in both languages."""

    def __init__(self, settings: NotifierSettings, words: Mapping[Lang, Words]) -> None:
        self._settings = settings
        self._words = words
        self._environments = {lang: _environment(w) for lang, w in words.items()}

    def write(
        self, letter: Letter, contact: Contact, items: Sequence[Item], about: tuple[str, str]
    ) -> Message:
        """The mail of a letter; `about`: the plan's title, and whom to ask."""
        lang = contact.lang
        words = self._words[lang]
        plan_title, ask = about
        heading = _heading(letter, items, words)
        values = {
            "heading": heading,
            "name": contact.name,
            "items": items,
            "digest": letter.digest,
            "plan_title": plan_title,
            "ask": ask,
            "base": self._settings.public_url,
            "severity_in_words": severity_in_words,
        }
        environment = self._environments[lang]
        mail = MIMEMultipart("alternative")
        for header, value in self._headers(letter, contact, heading).items():
            mail[header] = value
        mail["Content-Language"] = lang
        mail.attach(
            MIMEText(environment.get_template("mail.txt").render(values), "plain", "utf-8")
        )
        mail.attach(
            MIMEText(environment.get_template("mail.html").render(values), "html", "utf-8")
        )
        return mail

    def _headers(self, letter: Letter, contact: Contact, heading: str) -> dict[str, Any]:
        """In the older form of `email`: the newer one of Python 3.11 loses spaces of long Vietnamese subjects."""
        settings = self._settings
        thread = {"In-Reply-To": letter.reply_to, "References": letter.reply_to}
        return {
            "Subject": Header(f"[Thi đua] {heading}", "utf-8"),
            "From": formataddr(("Thi đua", settings.mail_from)),
            "To": formataddr((contact.name, contact.email)),
            **({"Reply-To": settings.mail_reply_to} if settings.mail_reply_to else {}),
            "Date": format_datetime(wall_now()),
            "Message-ID": message_id(letter, self.domain),
            **(thread if letter.reply_to else {}),
            "List-Id": f"Thi Dua <thi-dua.{self.domain}>",
            "Auto-Submitted": "auto-generated",
            "X-Auto-Response-Suppress": "All",
        }

    @property
    def domain(self) -> str:
        """The domain of our Message-IDs."""
        return self._settings.mail_from.rpartition("@")[2] or "localhost"


def subject_of(mail: Message) -> str:
    """The subject as a person reads it."""
    return str(make_header(decode_header(mail["Subject"])))


def _heading(letter: Letter, items: Sequence[Item], words: Words) -> str:
    first = items[0]
    title = first.alert.title
    if letter.digest:
        return words.plural("Tổng hợp trong ngày: %(n)s thông báo", len(items))
    if first.form == "retraction":
        return words.gettext("Đính chính: %(title)s", title=title)
    if first.form == "handled":
        return words.gettext("Đã có người tiếp nhận: %(title)s", title=title)
    if len(items) == 1:
        return title
    more = words.plural("và %(n)s thông báo khác", len(items) - 1)
    return f"{title} {more}"


def _environment(words: Words) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        _=words.gettext,
        gettext=words.gettext,
        plural=words.plural,
        words=words,
        lang=words.lang,
    )
    return environment
