"""Real SMTP servers for tests: one that keeps mails, with TLS and sign-in, and one that is as nasty as asked."""

import asyncio
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

HOST = "127.0.0.1"
USER, PASSWORD = "thi-dua", "mật khẩu"


class Nasty:
    """Takes mails; does what its fields say before it does."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, bytes]] = []
        self.connections = 0
        self.greylist_first = 0
        """So many first attempts of each recipient are put off."""
        self.refuse: set[str] = set()
        """Recipients that do not exist."""
        self.drop_in_data = 0
        """So many times the connection ends in the middle of a mail."""
        self.drop_after_data = 0
        """So many times it ends after the mail was taken, before the answer."""
        self.slow: set[str] = set()
        """Recipients for whom it never answers."""
        self.tries: Counter[str] = Counter()

    def breaks_in_data(self) -> bool:
        """Whether this mail is to end in its middle."""
        return self.drop_in_data > 0

    def break_in_data(self, server: SMTP) -> None:
        """End it: one line of it has come."""
        self.drop_in_data -= 1
        _hang_up(server)

    async def handle_EHLO(  # noqa: N802
        self,
        server: SMTP,
        session: Session,
        _envelope: Envelope,
        hostname: str,
        responses: list[str],
    ) -> list[str]:
        self.connections += 1
        session.host_name = hostname
        return responses

    async def handle_RCPT(  # noqa: N802
        self,
        _server: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,
        _options: list[str],
    ) -> str:
        self.tries[address] += 1
        if address in self.slow:
            await asyncio.sleep(3_600)
        if address in self.refuse:
            return "550 5.1.1 no such mailbox"
        if self.tries[address] <= self.greylist_first:
            return "451 4.7.1 greylisted, try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        self.mails.append((envelope.rcpt_tos[0], content))
        if self.drop_after_data:
            self.drop_after_data -= 1
            _hang_up(server)
            await asyncio.sleep(0.01)
        return "250 2.0.0 taken as 4711"


class _Connection(SMTP):
    """What aiosmtpd does for one connection, and an end in the middle of a mail if one is asked for."""

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        handler = self.event_handler
        if not handler.breaks_in_data():
            await super().smtp_DATA(arg)
            return
        await self.push("354 go on")
        await self._reader.readline()
        handler.break_in_data(self)


def _hang_up(server: SMTP) -> None:
    if server.transport is not None:
        server.transport.close()


def _sign_in(
    _server: SMTP, _session: Session, _envelope: Envelope, _how: str, data: Any
) -> AuthResult:
    good = isinstance(data, LoginPassword) and (data.login, data.password) == (
        USER.encode(), PASSWORD.encode()
    )  # fmt: skip
    return AuthResult(success=good, handled=False)


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signed itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain, private = folder / "server.pem", folder / "key.pem"
    chain.write_bytes(made.public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return chain, private


@asynccontextmanager
async def serving(
    handler: Nasty,
    files: tuple[Path, Path] | None = None,
    *,
    implicit: bool = False,
) -> AsyncIterator[int]:
    """A server on a free port; with a certificate it wants TLS and a sign-in."""
    context = None
    if files is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*files)
    secured: dict[str, Any] = {}
    if context is not None:
        secured = {"auth_required": True, "authenticator": _sign_in}
        secured |= {"auth_require_tls": False} if implicit else {
            "tls_context": context, "require_starttls": True
        }  # fmt: skip
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: _Connection(handler, hostname="relay.example.invalid", timeout=30, **secured),
        HOST,
        0,
        ssl=context if implicit else None,
    )
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()
