"""Delivery against real SMTP servers: encrypted and signed in, put off, refused, cut off, slow, gone."""

import asyncio
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiosmtplib
import pytest
from pymongo.errors import AutoReconnect

from services.notifier.pipeline.send import Post, Sender, Throttle
from services.runtime.clock import monotonic_seconds
from services.runtime.settings import Settings
from tests.support.mail_servers import HOST, PASSWORD, USER, Nasty, certificate, serving
from tests.support.notifying import (
    PLAN,
    START,
    Stage,
    changed,
    local,
    of_units,
    read,
    stage_for,
)
from tests.support.waiting import until

UNITS = ("31393", "31396", "31399", "31402", "31405")
FEW = changed(PLAN, units=[unit for unit in PLAN.units if unit.code in UNITS])


@asynccontextmanager
async def ten_mails(settings: Settings, **more: Any) -> AsyncIterator[Stage]:
    """A stage on which ten mails wait: officer and head of five units owe their report."""
    async with stage_for(settings, smtp_security="none", **more) as stage:
        await stage.contacts(of_units(UNITS))
        stage.publish(FEW, START)
        await stage.at(START)
        await stage.at(local("2023-06-09", "08:00"))
        await stage.at(local("2023-06-09", "08:30"))
        assert len(await stage.mails(state="queued")) == 10
        yield stage


def sender_to(stage: Stage, port: int) -> Sender:
    post = Post(stage.settings, HOST, port, plain=False)
    return Sender(stage.store, post, stage.settings, stage.clock)


@asynccontextmanager
async def working(sender: Sender, connections: int = 2) -> AsyncIterator[None]:
    """The sender's loops, as in the worker."""
    loops = [asyncio.create_task(sender.work()) for _ in range(connections)]
    try:
        yield
    finally:
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)


async def states(stage: Stage) -> Counter[str]:
    return Counter(mail["state"] for mail in await stage.mails())


def ids(server: Nasty) -> list[str]:
    return [str(read(raw)["Message-ID"]) for _, raw in server.mails]


async def test_mails_go_out_over_one_connection_and_the_answer_is_kept(
    settings: Settings,
) -> None:
    server = Nasty()
    async with ten_mails(settings) as stage, serving(server) as port:
        await sender_to(stage, port).drain()
        assert await states(stage) == {"accepted": 10}
        assert len(server.mails) == 10
        assert server.connections == 1
        await stage.store.record_mails()
        assert {n["state"] for n in await stage.notices()} == {"accepted"}
        (answer,) = {mail["answer"] for mail in await stage.mails()}
        assert "taken as 4711" in answer
        mail = read(server.mails[0][1])
        assert mail["Subject"].startswith("[Thi đua] ")
        assert "báo cáo tháng 6/2023 cần nộp trước hết ngày 14/06/2023" in mail["Subject"]
        body = mail.get_body(("plain",))
        assert body is not None
        assert "còn 3 ngày làm việc" in body.get_content()


@pytest.mark.filterwarnings("ignore:Requiring AUTH")
@pytest.mark.filterwarnings("ignore:Session.login_data")
@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_the_relay_is_trusted_by_its_certificate_and_knows_us_by_password(
    settings: Settings, tmp_path: Path, security: str
) -> None:
    files = certificate(tmp_path)
    server = Nasty()
    good = {"smtp_user": USER, "smtp_password": PASSWORD, "smtp_ca_file": str(files[0])}
    async with (
        ten_mails(settings) as stage,
        serving(server, files, implicit=security == "tls") as port,
    ):

        def sender(**changes: str) -> Sender:
            own = stage.settings.model_copy(
                update={"smtp_security": security, **good, **changes}
            )
            return Sender(stage.store, Post(own, HOST, port, plain=False), own, stage.clock)

        with pytest.raises(aiosmtplib.SMTPAuthenticationError):
            await sender(smtp_password="not it").drain()  # noqa: S106
        with pytest.raises((aiosmtplib.SMTPException, ssl.SSLError)):
            await sender(smtp_ca_file="").drain()
        assert await states(stage) == {"queued": 10}
        assert server.mails == []
        await sender().drain()
        assert await states(stage) == {"accepted": 10}


async def test_a_server_that_puts_us_off_is_asked_again_later(settings: Settings) -> None:
    server = Nasty()
    server.greylist_first = 2
    async with ten_mails(settings, smtp_retry_seconds=1) as stage, serving(server) as port:
        sender = sender_to(stage, port)
        await sender.drain()
        first = await stage.mails()
        assert {mail["state"] for mail in first} == {"queued"}
        assert {"451 4.7.1 greylisted, try again later"} == {mail["answer"] for mail in first}
        assert len({mail["next_try_ms"] for mail in first}) > 1
        async with working(sender):
            await until(lambda: _all(stage, "accepted"))
        assert {mail["attempts"] for mail in await stage.mails()} == {3}
        assert len(ids(server)) == len(set(ids(server))) == 10


async def _all(stage: Stage, state: str, number: int = 10) -> bool:
    return (await states(stage))[state] == number


async def test_one_mailbox_that_does_not_exist_is_shown_and_blocks_nobody(
    settings: Settings,
) -> None:
    server = Nasty()
    server.refuse = {"h-31399@example.invalid"}
    async with ten_mails(settings) as stage, serving(server) as port:
        await sender_to(stage, port).drain()
        assert await states(stage) == {"accepted": 9, "failed": 1}
        (failed,) = await stage.mails(state="failed")
        assert failed["answer"] == "550 5.1.1 no such mailbox"
        assert failed["attempts"] == 1
        await stage.store.record_mails()
        (notice,) = await stage.notices(state="failed")
        assert notice["contact"] == "h-31399"


async def test_a_connection_that_ends_in_the_middle_of_a_mail_loses_none(
    settings: Settings,
) -> None:
    server = Nasty()
    server.drop_in_data = 2
    async with ten_mails(settings) as stage, serving(server) as port:
        async with working(sender_to(stage, port)):
            await until(lambda: _all(stage, "accepted"))
        assert len(ids(server)) == len(set(ids(server))) == 10
        assert max(mail["attempts"] for mail in await stage.mails()) >= 2


async def test_an_acceptance_that_is_not_heard_brings_a_repeat_with_the_same_message_id(
    settings: Settings,
) -> None:
    server = Nasty()
    server.drop_after_data = 1
    async with ten_mails(settings) as stage, serving(server) as port:
        async with working(sender_to(stage, port)):
            await until(lambda: _all(stage, "accepted"))
        repeats = Counter(ids(server))
        assert len(repeats) == 10
        assert sorted(repeats.values()) == [1] * 9 + [2]


async def test_a_server_that_never_answers_for_one_mailbox_holds_up_no_other(
    settings: Settings,
) -> None:
    server = Nasty()
    server.slow = {"o-31393@example.invalid"}
    async with (
        ten_mails(settings, smtp_timeout_seconds=2) as stage,
        serving(server) as port,
        working(sender_to(stage, port)),
    ):
        await until(lambda: _all(stage, "accepted", 9))
        slow = {mail["state"] for mail in await stage.mails(to="o-31393@example.invalid")}
        assert slow <= {"queued", "sending"}


async def test_a_dead_server_is_told_and_nothing_is_lost(settings: Settings) -> None:
    server = Nasty()
    async with ten_mails(settings) as stage:
        async with serving(server) as port:
            pass
        post = Post(stage.settings, HOST, port, plain=False)
        with pytest.raises(aiosmtplib.SMTPConnectError):
            await Sender(stage.store, post, stage.settings, stage.clock).drain()
        assert post.error.startswith("SMTPConnectError")
        assert await states(stage) == {"queued": 10}
        assert {mail["attempts"] for mail in await stage.mails()} == {0}
        async with serving(server) as again:
            post.port = again
            await Sender(stage.store, post, stage.settings, stage.clock).drain()
        assert post.error == ""
        assert await states(stage) == {"accepted": 10}


async def test_mails_that_were_being_sent_at_a_kill_go_again(settings: Settings) -> None:
    server = Nasty()
    async with ten_mails(settings) as stage, serving(server) as port:
        await stage.store.mails.update_many({}, {"$set": {"state": "sending"}})
        sender = sender_to(stage, port)
        await sender.drain()
        assert server.mails == []
        await sender.recover()
        await sender.drain()
        assert await states(stage) == {"accepted": 10}


class Failing:
    """Calls what it stands for, and says a few times that the database is away: before it, or after it was done."""

    def __init__(self, real: Any, times: int, *, after: bool) -> None:
        self._real = real
        self._left = times
        self._after = after

    async def __call__(self, *values: Any, **named: Any) -> Any:
        fails = self._left > 0
        self._left -= 1
        if fails and not self._after:
            raise AutoReconnect("away")
        found = await self._real(*values, **named)
        if fails:
            raise AutoReconnect("away before it was heard")
        return found


async def test_answers_wait_for_a_database_that_is_away_and_no_mail_goes_twice(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Nasty()
    async with ten_mails(settings) as stage, serving(server) as port:
        mails = stage.store.mails
        write = Failing(mails.update_one, 3, after=False)
        monkeypatch.setattr(stage.store, "mails", _With(mails, update_one=write))
        async with working(sender_to(stage, port)):
            await until(lambda: _are_accepted(stage, 10))
        assert len(server.mails) == len(set(ids(server))) == 10


async def test_mails_that_were_marked_unheard_go_while_the_notifier_lives(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Nasty()
    async with ten_mails(settings) as stage, serving(server) as port:
        claim = Failing(stage.store.claim_mails, 1, after=True)
        monkeypatch.setattr(stage.store, "claim_mails", claim)
        async with working(sender_to(stage, port)):
            await until(lambda: _are_accepted(stage, 10))
        assert len(server.mails) == len(set(ids(server))) == 10


class _With:
    """A collection of which some methods are others."""

    def __init__(self, real: Any, **others: Any) -> None:
        self._real = real
        self._others = others

    def __getattr__(self, name: str) -> Any:
        return self._others.get(name) or getattr(self._real, name)


async def _are_accepted(stage: Stage, count: int) -> bool:
    return await states(stage) == {"accepted": count}


async def test_a_mail_that_is_put_off_for_too_long_is_given_up_and_shown(
    settings: Settings,
) -> None:
    server = Nasty()
    server.greylist_first = 1_000
    async with ten_mails(settings, smtp_give_up_hours=1) as stage, serving(server) as port:
        await stage.store.mails.update_many({}, {"$inc": {"made_ms": -3_700_000}})
        await sender_to(stage, port).drain()
        assert await states(stage) == {"failed": 10}


async def test_the_rate_limit_spreads_mails_evenly() -> None:
    throttle = Throttle(6_000)
    began = monotonic_seconds()
    for _ in range(11):
        await throttle.wait()
    assert monotonic_seconds() - began >= 0.1 - 0.01
