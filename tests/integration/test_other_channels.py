"""Another channel than mail: the subject reaches a real HTTP server through apprise."""

import asyncio

import pytest

pytest.importorskip("apprise")

from services.notifier.channels.others import OtherChannels


@pytest.mark.filterwarnings("ignore")
async def test_the_subject_of_a_mail_also_goes_to_the_contacts_channel() -> None:
    got: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        got.append(await reader.readexactly(length))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        await OtherChannels().tell(
            {"channel": f"json://127.0.0.1:{port}/hook", "subject": "Xã Tân Bình: trễ hẹn"}
        )
        await OtherChannels().tell({"channel": "nonsense", "subject": "not told"})
    assert len(got) == 1
    assert "Tân Bình" in got[0].decode("unicode_escape") or "T\\u00e2n" in got[0].decode()
