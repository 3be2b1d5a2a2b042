"""Other channels than mail, through apprise (an optional package): webhook, Telegram, Zalo and many more."""

import asyncio
import importlib
from typing import Any

from prometheus_client import Counter

from services.runtime.logging import get_logger
from services.runtime.mongo import Document

log = get_logger(__name__)
TOLD = Counter(
    "notifier_other_channels", "Alerts told by another channel than mail.", ["outcome"]
)


class ChannelsMissingError(Exception):
    """Other channels are wanted and their package is not installed."""


class OtherChannels:
    """Tells the subject of a mail by the recipient's other channel too; best effort, the mail is what counts."""

    def __init__(self) -> None:
        try:
            self._apprise: Any = importlib.import_module("apprise")
        except ImportError as error:
            raise ChannelsMissingError(
                "THIDUA_CHANNELS is set, but apprise is missing: pip install 'thidua[channels]'"
            ) from error

    async def tell(self, mail: Document) -> None:
        """Tell it; a failure is counted, and no reason to send the mail again."""
        sender = self._apprise.Apprise()
        good = sender.add(mail["channel"]) and await asyncio.to_thread(
            sender.notify, title="Thi đua", body=mail["subject"]
        )
        TOLD.labels("told" if good else "failed").inc()
        if not good:
            log.warning("another channel failed")
