"""MongoDB clients are built here and nowhere else; stores are given typed collections."""

from collections.abc import Sequence
from typing import Any

from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from motor.motor_asyncio import (
    AsyncIOMotorClient,
    AsyncIOMotorClientSession,
    AsyncIOMotorCollection,
    AsyncIOMotorDatabase,
    AsyncIOMotorGridFSBucket,
)
from pymongo import ReadPreference
from pymongo.errors import BulkWriteError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from services.runtime.settings import Settings

Document = dict[str, Any]
Client = AsyncIOMotorClient[Document]
Database = AsyncIOMotorDatabase[Document]
Session = AsyncIOMotorClientSession
Collection = AsyncIOMotorCollection[Document]
FileBucket = AsyncIOMotorGridFSBucket
RawCollection = AsyncIOMotorCollection[RawBSONDocument]

AWARE: CodecOptions[Document] = CodecOptions(tz_aware=True)
DURABLE = WriteConcern(w="majority", j=True, wtimeout=10_000)
DUPLICATE_KEY = 11_000
RELAXED = WriteConcern(w=1, j=False)
"""For what may be lost in a crash: nobody, in this process or another, may go on as if it were kept."""


def connect(settings: Settings) -> Client:
    """A client of the replica set; opens no connection yet."""
    return AsyncIOMotorClient(
        settings.mongo_url,
        tz_aware=True,
        serverSelectionTimeoutMS=5_000,
        connectTimeoutMS=2_000,
        socketTimeoutMS=30_000,
        maxPoolSize=20,
        retryWrites=True,
    )


def database(client: Client, settings: Settings, name: str) -> Database:
    """A service's own database, or `journal`; writes are acknowledged when a majority has journaled them."""
    return client.get_database(
        settings.database_prefix + name,
        codec_options=CodecOptions(tz_aware=True),
        read_preference=ReadPreference.PRIMARY,
        write_concern=DURABLE,
        read_concern=ReadConcern("local"),
    )


def raw(client: Client, database: str, name: str) -> RawCollection:
    """A collection whose documents stay as the server sends them; only what a majority has."""
    collection: Any = client[database].get_collection(
        name,
        codec_options=CodecOptions(document_class=RawBSONDocument),
        read_concern=ReadConcern("majority"),
    )
    found: RawCollection = collection
    return found


def prefix_of(database: Database) -> str:
    """What stands before the service's name in a database's name; names of services have no underscore."""
    return database.name[: database.name.rfind("_") + 1]


def neighbour(database: Database, name: str) -> Database:
    """Another database of the same system, with the same promises; only for what the runtime itself keeps there."""
    return database.client.get_database(
        prefix_of(database) + name,
        codec_options=database.codec_options,
        read_preference=database.read_preference,
        write_concern=database.write_concern,
        read_concern=database.read_concern,
    )


async def write_all(collection: Collection, writes: Sequence[Any]) -> None:
    """Many writes at once, in any order; what is there already (a repeat, a newer state) is no error.

    Raises:
        PyMongoError: not all of it is known to be kept.
    """
    if not writes:
        return
    try:
        await collection.bulk_write(writes, ordered=False)
    except BulkWriteError as failure:
        errors = failure.details.get("writeErrors", [])
        unsure = failure.details.get("writeConcernErrors")
        if unsure or any(error["code"] != DUPLICATE_KEY for error in errors):
            raise


def file_bucket(database: Database, name: str) -> FileBucket:
    """A place for whole files, in pieces, in a service's own database."""
    return AsyncIOMotorGridFSBucket(database, bucket_name=name)
