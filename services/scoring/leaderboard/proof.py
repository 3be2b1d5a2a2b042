"""Public proof: the hash of the published rules, the newest link of the journal's chain, a signed copy of the boards.

The copy is plain files in a folder: anything that serves files can show them while this system is down.
"""

import asyncio
import base64
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from contracts.plan import Plan
from services.runtime.clock import wall_now
from services.runtime.logging import get_logger
from services.scoring.domain.sealing import sha256
from services.scoring.leaderboard.forms import board_json
from services.scoring.leaderboard.links import default_period
from services.scoring.leaderboard.views import Board, BoardSource
from services.scoring.sealing import Sealer

log = get_logger(__name__)
JSON, HTML, KEY = "board.json", "board.html", "verifying.pem"
SIGNATURE = ".sig"
Render = Callable[[list[Board], dict[str, Any]], str]
"""The page of a copy, from its boards and its content."""


def rules_hash(plan: Plan) -> str:
    """The hash of a plan version exactly as `/api/v1/plans/…` states it."""
    return sha256([plan.model_dump_json().encode()])


def fingerprint(key: Ed25519PublicKey) -> str:
    """The first sixteen digits of the hash of a public key."""
    return sha256([key.public_bytes(Encoding.Raw, PublicFormat.Raw)])[:16]


class PublicCopy:
    """Writes the public boards of the year, signed, into a folder."""

    def __init__(
        self,
        folder: Path,
        source: BoardSource,
        sealer: Sealer,
        key: Ed25519PrivateKey,
        render: Render,
    ) -> None:
        self._folder = folder
        self._source = source
        self._sealer = sealer
        self._key = key
        self._render = render

    async def run(self, every_seconds: float) -> None:
        """Write it again and again, for ever."""
        while True:
            try:
                await self.write()
            except (OSError, ValueError) as failure:
                log.warning("public copy not written", error=str(failure)[:200])
            await asyncio.sleep(every_seconds)

    async def write(self) -> None:
        """Write the copy once; each file appears whole or not at all."""
        boards = list(self._boards())
        content = copy_content(
            boards, self._source.plans(), await self._sealer.last(), wall_now()
        )
        content["key"] = fingerprint(self._key.public_key())
        page = self._render(boards, content).encode()
        files = {JSON: msgspec.json.encode(content), HTML: page}
        await asyncio.to_thread(self._put, files)

    def _boards(self) -> list[Board]:
        found = [
            self._source.board(plan.id, bloc.code, default_period(plan))
            for plan in self._source.plans()
            for bloc in plan.blocs
        ]
        return [board for board in found if board is not None and board.rows]

    def _put(self, files: dict[str, bytes]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        public = self._key.public_key()
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        signed = {name + SIGNATURE: signature(self._key, body) for name, body in files.items()}
        for name, body in {**files, **signed, KEY: pem}.items():
            draft = self._folder / f".{name}.{os.getpid()}"
            draft.write_bytes(body)
            draft.replace(self._folder / name)


def copy_content(
    boards: list[Board],
    plans: list[Plan],
    seal: dict[str, Any] | None,
    written_at: datetime,
) -> dict[str, Any]:
    """Everything that a copy says."""
    return {
        "format": 1,
        "written_at": written_at,
        "plans": [{"id": p.id, "version": p.version, "sha256": rules_hash(p)} for p in plans],
        "log": None if seal is None else seal_json(seal),
        "boards": [board_json(board) for board in boards],
    }


def seal_json(seal: dict[str, Any]) -> dict[str, Any]:
    """A link of the chain as everybody may see it."""
    return {"day": seal["_id"]} | {k: seal[k] for k in ("packs", "events", "hash", "until")}


def signature(key: Ed25519PrivateKey, body: bytes) -> bytes:
    """Base64 and a line feed, so that it can be read and sent."""
    return base64.b64encode(key.sign(body)) + b"\n"


def is_signed(key: Ed25519PublicKey, body: bytes, signed: bytes) -> bool:
    """Whether a signature was made by the holder of a key over these very bytes."""
    try:
        key.verify(base64.b64decode(signed, validate=False), body)
    except (InvalidSignature, ValueError):
        return False
    return True
