"""What worker and pages both need: the notifier's database, the secret of its links, its words."""

import secrets
from pathlib import Path

from services.notifier.pipeline.compose import Composer, Signer
from services.notifier.pipeline.line import Tools
from services.notifier.settings import NotifierSettings
from services.notifier.store import NotifierStore
from services.runtime import mongo
from services.runtime.resources import Resources
from services.runtime.web import i18n
from services.runtime.web.site import HERE


def open_store(own: Resources) -> NotifierStore:
    """The notifier's own database."""
    return NotifierStore(mongo.database(own.client, own.settings, "notifier"))


async def secret_of(store: NotifierStore) -> str:
    """The secret that signs links; of two processes that make it at once, both get the same."""
    await store.marks.update_one(
        {"_id": "secret"}, {"$setOnInsert": {"value": secrets.token_hex(32)}}, upsert=True
    )
    return str((await store.read_mark("secret"))["value"])


async def tools_of(store: NotifierStore, settings: NotifierSettings) -> Tools:
    """What the stages need."""
    words = i18n.load([HERE / "locale", Path(__file__).parent / "locale"])
    signer = Signer(await secret_of(store))
    return Tools(settings, Composer(settings, words), signer, words)
