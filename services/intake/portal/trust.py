"""Who may send, how fast, and how it is proved: credentials of each source, sessions, signatures, rate limits."""

import asyncio
import hashlib
import hmac
import math
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from pymongo.errors import DuplicateKeyError, PyMongoError
from starlette.requests import Request

from services.intake.http import Refusal, RefusedError, Sender
from services.runtime.access.guard import Guard
from services.runtime.auth import AuthError, Principal, Role, bearer
from services.runtime.clock import monotonic_seconds, wall_now
from services.runtime.logging import get_logger
from services.runtime.mongo import Collection, Database, Document

log = get_logger(__name__)

DEFAULT_SOURCE = "dvc.quocgia"
"""What a plain token with role `portal` speaks for; codes of dossiers are unique in the whole country."""
SUBJECT = "source:"
TIMESTAMP, SIGNATURE = "x-thidua-timestamp", "x-thidua-signature"
WINDOW_SECONDS = 300
SESSION_SECONDS = 3_600
LOGINS_PER_MINUTE = 10
PER_MINUTE = 6_000
REFRESH_SECONDS = 3
REMEMBERED_SESSIONS = 1_000
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,62}\Z")


class SourceRefusedError(AuthError):
    """A source's session, signature or certificate is not good; its kinds say which."""


class SourceSessionEndedError(SourceRefusedError):
    """No such session, or no longer."""

    code = "session_ended"
    vi = "Phiên đăng nhập không đúng hoặc đã hết hạn: hãy đăng nhập lại."
    en = "The session is not good or has ended: sign in again."


class SignatureMissingError(SourceRefusedError):
    """The source must sign, and did not."""

    code = "signature_missing"
    vi = "Nguồn này phải ký từng lần gửi: thiếu X-Thidua-Timestamp hoặc X-Thidua-Signature."
    en = "This source must sign what it sends: X-Thidua-Timestamp or X-Thidua-Signature is missing."


class SignatureStaleError(SourceRefusedError):
    """The signature's time is too far off."""

    code = "signature_stale"
    vi = "Chữ ký đã quá 5 phút: hãy chỉnh đồng hồ và ký lại."
    en = "The signature is more than five minutes off: set the clock and sign again."


class SignatureWrongError(SourceRefusedError):
    """Signed with another secret, or something else was signed."""

    code = "signature_wrong"
    vi = "Chữ ký không khớp với nội dung."
    en = "The signature does not match the content."


class SignatureUsedError(SourceRefusedError):
    """A signature is good once."""

    status = 409
    code = "signature_used"
    vi = "Chữ ký này đã dùng một lần: hãy ký lại với thời điểm mới."
    en = "This signature was used before: sign again with a new timestamp."


class CertificateWrongError(SourceRefusedError):
    """The client's certificate is another's, or there is none."""

    status = 403
    code = "certificate_wrong"
    vi = "Chứng thư không phải của nguồn này."
    en = "The certificate is not this source's."


def too_fast(seconds: int) -> Refusal:
    """The answer to a sender that must slow down."""
    return Refusal(
        429,
        "too_fast",
        f"Gửi quá nhanh: hãy gửi lại sau {seconds} giây.",
        f"Too many requests: send it again in {seconds} seconds.",
        seconds,
    )


SESSION_MARK = "phien-"
"""A session's secret begins so, and no signed token does."""


@dataclass(slots=True)
class Bucket:
    """So many requests a minute, as many at once at the most."""

    per_minute: int
    left: float = field(init=False)
    at: float = field(default_factory=monotonic_seconds)

    def __post_init__(self) -> None:
        self.left = float(self.per_minute)

    def take(self) -> None:
        """One more request.

        Raises:
            RefusedError: not yet.
        """
        now = monotonic_seconds()
        gained = (now - self.at) * self.per_minute / 60
        self.left, self.at = min(float(self.per_minute), self.left + gained), now
        if self.left < 1:
            seconds = math.ceil((1 - self.left) * 60 / self.per_minute)
            raise RefusedError(too_fast(max(1, seconds)))
        self.left -= 1


@dataclass(frozen=True, slots=True)
class Source:
    """One sender and how it proves itself."""

    name: str
    password_hash: str = ""
    secret: str = ""
    signed: bool = False
    """Every request must bear a signature."""
    certificate: str = ""
    """Subject of its client certificate, as the proxy tells it; empty: none is asked for."""
    per_minute: int = PER_MINUTE
    disabled: bool = False


class SourceStore:
    """Credentials, sessions and used signatures, in intake's own database."""

    def __init__(self, database: Database) -> None:
        self.sources: Collection = database["sources"]
        self.sessions: Collection = database["portal_sessions"]
        self.signatures: Collection = database["used_signatures"]

    async def prepare(self) -> None:
        """Create the indexes: what has ended goes by itself."""
        await self.sessions.create_index("until", expireAfterSeconds=0)
        await self.signatures.create_index("until", expireAfterSeconds=0)

    async def all(self) -> dict[str, Source]:
        """Every source by its name."""
        return {s["_id"]: _source(s) for s in await self.sources.find({}).to_list(None)}

    async def put(self, source: Source) -> None:
        """Make or change a source; what else is kept about it stays."""
        names = ("password_hash", "secret", "signed", "certificate", "per_minute", "disabled")
        values = {name: getattr(source, name) for name in names}
        await self.sources.update_one({"_id": source.name}, {"$set": values}, upsert=True)

    async def begin_session(self, source: str) -> str:
        """A secret that stands for the source for an hour; only its digest is kept."""
        secret = SESSION_MARK + secrets.token_urlsafe(32)
        until = wall_now() + timedelta(seconds=SESSION_SECONDS)
        await self.sessions.insert_one(
            {"_id": digest_of(secret), "source": source, "until": until}
        )
        return secret

    async def session(self, secret: str) -> tuple[str, datetime] | None:
        """(source, until when) of a session; None when it is none."""
        found = await self.sessions.find_one({"_id": digest_of(secret)})
        return None if found is None else (found["source"], found["until"])

    async def use(self, signature: str) -> bool:
        """Whether a signature is used for the first time."""
        until = wall_now() + timedelta(seconds=2 * WINDOW_SECONDS)
        try:
            await self.signatures.insert_one({"_id": signature, "until": until})
        except DuplicateKeyError:
            return False
        return True


def _source(stored: Document) -> Source:
    return Source(
        stored["_id"],
        stored.get("password_hash", ""),
        stored.get("secret", ""),
        stored.get("signed", False),
        stored.get("certificate", ""),
        stored.get("per_minute", PER_MINUTE),
        stored.get("disabled", False),
    )


def digest_of(secret: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def signature_of(secret: str, timestamp: str, path: str, body: bytes) -> str:
    """HMAC-SHA-256 over the timestamp, the path and the body's digest, in hexadecimal."""
    content = f"{timestamp}\n{path}\n{hashlib.sha256(body).hexdigest()}"
    return hmac.new(secret.encode(), content.encode(), hashlib.sha256).hexdigest()


class Trust:
    """Asked by every door for machines: which source sends this, and may it."""

    def __init__(self, store: SourceStore, guard: Guard, subject_header: str) -> None:
        self._store = store
        self._guard = guard
        self._subject_header = subject_header
        self._hasher = PasswordHasher()
        self._buckets: dict[str, Bucket] = {}
        self._sessions: dict[str, tuple[str, datetime]] = {}
        self.sources: dict[str, Source] = {}

    async def load(self) -> None:
        """Know all sources as they are now."""
        self.sources = await self._store.all()

    async def keep_up(self) -> None:
        """Follow changes of the sources, for ever."""
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            try:
                await self.load()
            except PyMongoError:
                log.warning("sources cannot be read; the known ones hold")

    async def enter(self, request: Request, session: str = "") -> Sender:
        """Who sends a request: known by certificate, token, or session. A plain token is bound to no source.

        Raises:
            AuthError: nobody that may.
        """
        if (name := self._by_certificate(request)) is not None:
            return Sender(name)
        token = bearer(request)
        if token is None and session:
            return Sender(await self._by_session(session))
        if token is not None and token.startswith(SESSION_MARK):
            return Sender(await self._by_session(token))
        principal = await self._guard.require(request, Role.PORTAL)
        name = source_named(principal)
        units = principal.grants.get(Role.PORTAL, frozenset())
        return Sender(None if name == DEFAULT_SOURCE else name, units)

    def _by_certificate(self, request: Request) -> str | None:
        subject = request.headers.get(self._subject_header, "") if self._subject_header else ""
        if not subject:
            return None
        names = (s.name for s in self.sources.values() if s.certificate == subject)
        return next(names, None)

    async def _by_session(self, secret: str) -> str:
        found = self._sessions.get(secret)
        if found is None:
            found = await self._store.session(secret)
            if found is None:
                raise SourceSessionEndedError
            if len(self._sessions) >= REMEMBERED_SESSIONS:
                del self._sessions[next(iter(self._sessions))]
            self._sessions[secret] = found
        if found[1] <= wall_now():
            raise SourceSessionEndedError
        return found[0]

    async def admit(self, request: Request, name: str, body: bytes) -> None:
        """Let one request of a source pass.

        Raises:
            AuthError: its source is closed, or its certificate or signature is not good.
            RefusedError: it sends faster than it may.
        """
        source = self.sources.get(name)
        if source is None:
            return
        if source.disabled:
            raise SourceSessionEndedError
        if source.certificate and self._by_certificate(request) != name:
            raise CertificateWrongError
        self.slow_down(name, source.per_minute)
        if source.signed:
            await self._check_signature(request, source, body)

    def slow_down(self, key: str, per_minute: int) -> None:
        """Count one request against a limit.

        Raises:
            RefusedError: it is reached.
        """
        bucket = self._buckets.get(key)
        if bucket is None or bucket.per_minute != per_minute:
            if len(self._buckets) >= REMEMBERED_SESSIONS:
                del self._buckets[next(iter(self._buckets))]
            bucket = self._buckets[key] = Bucket(per_minute)
        bucket.take()

    async def _check_signature(self, request: Request, source: Source, body: bytes) -> None:
        timestamp = request.headers.get(TIMESTAMP, "")
        signature = request.headers.get(SIGNATURE, "").removeprefix("sha256=").lower()
        if not timestamp.isdecimal() or not timestamp.isascii() or not signature:
            raise SignatureMissingError
        if len(timestamp) > 11 or abs(wall_now().timestamp() - int(timestamp)) > WINDOW_SECONDS:  # noqa: PLR2004 - digits of seconds
            raise SignatureStaleError
        wanted = signature_of(source.secret, timestamp, request.url.path, body)
        if not hmac.compare_digest(signature.encode(), wanted.encode()):
            raise SignatureWrongError
        if not await self._store.use(f"{source.name} {wanted}"):
            raise SignatureUsedError

    async def sign_in(self, name: str, password: str) -> str | None:
        """A session for a source's name and password; None when they do not match.

        Raises:
            RefusedError: too many tries.
        """
        self.slow_down(f"login {name[:64]}", LOGINS_PER_MINUTE)
        source = self.sources.get(name)
        if source is None or source.disabled or not source.password_hash:
            return None
        if not await asyncio.to_thread(self._matches, source.password_hash, password):
            return None
        return await self._store.begin_session(name)

    def _matches(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (Argon2Error, InvalidHashError):
            return False


def source_named(principal: Principal) -> str:
    """The source that a token speaks for."""
    name = principal.subject.removeprefix(SUBJECT)
    return name if name != principal.subject else DEFAULT_SOURCE
