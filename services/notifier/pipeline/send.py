"""Stage 6: mails to the mail server, one recipient each, over kept connections. Written down before and after.

A mail is marked *sending* before the server hears of it. Whatever happens then, it is sent again with the same
Message-ID unless the server's acceptance was written down: that is the only place where a repeat can come from.
"""

import asyncio
import random
import ssl
import zlib
from collections import deque
from collections.abc import Awaitable, Callable

import aiosmtplib
from prometheus_client import Counter, Gauge
from pymongo.errors import PyMongoError

from services.notifier.settings import NotifierSettings
from services.notifier.store import NotifierStore
from services.runtime.clock import Clock, FrozenClock, monotonic_seconds, wall_milliseconds
from services.runtime.logging import get_logger
from services.runtime.mongo import Document
from services.runtime.tracing import follow

log = get_logger(__name__)
MAILS = Counter("notifier_mails", "Answers of the mail server to our mails.", ["outcome"])
SMTP_UP = Gauge("notifier_smtp_up", "1 while the mail server can be reached.")
IDLE_SECONDS = 0.2
CLAIMED = 30
"""Mails taken out of the queue at a time."""
PROBE_SECONDS = 15.0
PAUSE_SECONDS = 5.0
"""After a connection failed."""
LONGEST_PAUSE_MS = 3_600_000
DOWN_SECONDS = 30
"""A mail server that is away for so long is said to be."""
PERMANENT = 500
Also = Callable[[Document], Awaitable[None]]


class Throttle:
    """So many mails a minute over all connections, evenly."""

    def __init__(self, per_minute: int) -> None:
        self._seconds = 60 / per_minute
        self._next = 0.0

    async def wait(self) -> None:
        """Return when the next mail may go."""
        now = monotonic_seconds()
        at, self._next = max(now, self._next), max(now, self._next) + self._seconds
        if at > now:
            await asyncio.sleep(at - now)


class Post:
    """The mail server as seen from here: how to reach it, and since when it cannot be."""

    def __init__(
        self, settings: NotifierSettings, host: str, port: int, *, plain: bool
    ) -> None:
        self._settings = settings
        self.host, self.port = host, port
        self._plain = plain
        self._down_since: float | None = None
        self._error = ""
        SMTP_UP.set(1)

    async def connect(self) -> aiosmtplib.SMTP:
        """A connection that is ready for mails.

        Raises:
            aiosmtplib.SMTPException, OSError: the server cannot be reached, or refuses us.
        """
        settings = self._settings
        security = "none" if self._plain else settings.smtp_security
        client = aiosmtplib.SMTP(
            hostname=self.host,
            port=self.port,
            timeout=settings.smtp_timeout_seconds,
            use_tls=security == "tls",
            start_tls=security == "starttls",
            tls_context=None if security == "none" else _trust(settings),
        )
        try:
            await client.connect()
            if settings.smtp_user and not self._plain:
                await client.login(settings.smtp_user, settings.smtp_password)
        except BaseException as error:
            client.close()
            if isinstance(error, aiosmtplib.SMTPException | OSError):
                self.failed(error)
            raise
        self.worked()
        return client

    def worked(self) -> None:
        """The server answered."""
        self._down_since = None
        SMTP_UP.set(1)

    def failed(self, error: BaseException) -> None:
        """It did not, or not as it should."""
        if self._down_since is None:
            self._down_since = monotonic_seconds()
            log.warning("mail server unreachable", error=type(error).__name__)
        self._error = f"{type(error).__name__}: {error}"[:200]
        SMTP_UP.set(0)

    @property
    def error(self) -> str:
        """What went wrong last, while it is wrong; empty when all is well."""
        return "" if self._down_since is None else self._error

    def trouble(self) -> str | None:
        """None, or since when the mail server cannot be reached."""
        if self._down_since is None:
            return None
        seconds = monotonic_seconds() - self._down_since
        return f"unreachable for {seconds:.0f} s" if seconds > DOWN_SECONDS else None


def _trust(settings: NotifierSettings) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=settings.smtp_ca_file or None)


class Sender:
    """Several connections that take mails from the queue."""

    def __init__(
        self,
        store: NotifierStore,
        post: Post,
        settings: NotifierSettings,
        clock: Clock | FrozenClock,
        also: Also | None = None,
    ) -> None:
        self._store = store
        self._post = post
        self._settings = settings
        self._clock = clock
        self._also = also
        self._throttle = Throttle(settings.mail_per_minute)
        self._claimed: deque[Document] = deque()
        """Marked as being sent, and not begun yet."""
        self._claiming = asyncio.Lock()
        self._under_way: set[str] = set()
        """Being sent now, or waiting for their answer to be written down."""
        self._is_unsure = False
        """Mails may have been marked of which nobody here heard."""

    async def recover(self) -> None:
        """Mails that were being sent when the last run ended go again, with the same Message-ID."""
        self._claimed.clear()
        await self._store.requeue_mails(but=self._under_way)

    async def work(self) -> None:
        """One connection: take a mail, send it, write down the answer, for ever."""
        client: aiosmtplib.SMTP | None = None
        idle_since = monotonic_seconds()
        try:
            while True:
                try:
                    client, sent = await self._turn(client)
                    if sent:
                        idle_since = monotonic_seconds()
                        continue
                    if monotonic_seconds() - idle_since > PROBE_SECONDS:
                        client = await self._probe(client)
                        idle_since = monotonic_seconds()
                except (aiosmtplib.SMTPException, OSError):
                    client = None
                    await asyncio.sleep(min(PAUSE_SECONDS, self._settings.smtp_retry_seconds))
                except PyMongoError as failure:
                    log.warning("the queue cannot be read", error=str(failure)[:120])
                    await asyncio.sleep(1)
                await asyncio.sleep(IDLE_SECONDS)
        finally:
            if client is not None:
                client.close()

    async def drain(self) -> None:
        """Send what is due now over one connection, then return; for tests and measurements."""
        client = None
        sent = True
        while sent:
            client, sent = await self._turn(client)
        if client is not None:
            client.close()

    async def _probe(self, client: aiosmtplib.SMTP | None) -> aiosmtplib.SMTP | None:
        """When there is nothing to send, see whether the server still answers."""
        if client is None or not client.is_connected:
            client = await self._post.connect()
        try:
            await client.noop()
        except aiosmtplib.SMTPException:
            client = await self._post.connect()
        self._post.worked()
        return client

    async def _turn(
        self, client: aiosmtplib.SMTP | None
    ) -> tuple[aiosmtplib.SMTP | None, bool]:
        """Send one mail, if one is due."""
        if not self._claimed and not await self._store.mails_due(wall_milliseconds()):
            return client, False
        if client is None or not client.is_connected:
            client = (
                await self._post.connect()
            )  # first: a dead server takes nothing out of the queue
        if not self._claimed and not await self._claim():
            return client, False
        mail = self._claimed.popleft()
        self._under_way.add(mail["_id"])
        try:
            await self._throttle.wait()
            return (client if await self._send(client, mail) else None), True
        finally:
            self._under_way.discard(mail["_id"])

    async def _claim(self) -> bool:
        """Take several mails out of the queue, for all connections; whether there are some now."""
        async with self._claiming:
            if not self._claimed:
                if self._is_unsure:
                    await self.recover()
                self._is_unsure = (
                    True  # until the answer is here: the marks may be set without it
                )
                self._claimed.extend(
                    await self._store.claim_mails(CLAIMED, wall_milliseconds())
                )
                self._is_unsure = False
        return bool(self._claimed)

    async def _send(self, client: aiosmtplib.SMTP, mail: Document) -> bool:
        """Whether the connection can be used again."""
        try:
            with follow("notifier.send", mail.get("traces", ()), attempt=mail["attempts"]):
                _, answer = await client.sendmail(
                    self._settings.mail_from, [mail["to"]], zlib.decompress(mail["body"])
                )
        except aiosmtplib.SMTPRecipientsRefused as refused:
            first = refused.recipients[0]
            await self._refused(mail, first.code, first.message)
            return client.is_connected
        except aiosmtplib.SMTPResponseException as refused:
            await self._refused(mail, refused.code, refused.message)
            return client.is_connected
        except (aiosmtplib.SMTPException, OSError) as error:
            client.close()
            await self._again(mail, f"{type(error).__name__}")
            return False
        await self._settle(mail, "accepted", answer)
        if self._also is not None and mail.get("channel"):
            await self._also(mail)
        return True

    async def _refused(self, mail: Document, code: int, message: str) -> None:
        answer = f"{code} {message}"
        age = wall_milliseconds() - mail["made_ms"]
        if code >= PERMANENT or age > self._settings.smtp_give_up_hours * 3_600_000:
            await self._settle(mail, "failed", answer)
        else:
            await self._again(mail, answer)

    async def _again(self, mail: Document, answer: str) -> None:
        """Later, twice as late each time, with some chance, so that many do not come back at once."""
        MAILS.labels("retried").inc()
        pause = self._settings.smtp_retry_seconds * 1_000 * 2 ** min(mail["attempts"] - 1, 10)
        pause = min(pause, LONGEST_PAUSE_MS) * random.uniform(0.8, 1.2)  # noqa: S311  # nosec B311  # no secret
        await self._write_down(
            mail,
            {
                "state": "queued",
                "attempts": mail["attempts"],
                "answer": answer[:300],
                "next_try_ms": wall_milliseconds() + round(pause),
            },
        )

    async def _settle(self, mail: Document, state: str, answer: str) -> None:
        MAILS.labels(state).inc()
        await self._write_down(
            mail,
            {
                "state": state,
                "step": "settled",
                "attempts": mail["attempts"],
                "answer": answer[:300],
                "sent_at": self._clock.now(),
            },
        )

    async def _write_down(self, mail: Document, answer: Document) -> None:
        """Keep what the server said, however long the database is away: else nobody would look at the mail again."""
        while True:
            try:
                await self._store.mails.update_one({"_id": mail["_id"]}, {"$set": answer})
            except PyMongoError as failure:
                log.warning("an answer waits to be written down", error=str(failure)[:120])
                await asyncio.sleep(IDLE_SECONDS)
            else:
                return
