"""Stored files: in a folder or in a bucket, named by their content.

    store = open_store(settings)
    stored = store.put(file)                 # StoredFile(path, bytes, sha256)
    file = store.open(stored)                # verified, on this machine

Which rows name which file is the catalogue's business; what no row names is collected by `app.jobs`.
"""

from app.store.errors import DamagedObject, MissingObject, StoreDown, StoreError, StoreUnusable
from app.store.files import OBJECTS, Entry, Place, StoredFile, digest_of, object_digest, object_path
from app.store.folder import Folder
from app.store.opening import StoreSettings, open_store
from app.store.store import Store

__all__ = [
    "OBJECTS",
    "DamagedObject",
    "Entry",
    "Folder",
    "MissingObject",
    "Place",
    "Store",
    "StoreDown",
    "StoreError",
    "StoreSettings",
    "StoreUnusable",
    "StoredFile",
    "digest_of",
    "object_digest",
    "object_path",
    "open_store",
]
