"""The store that the settings name."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from app.store.errors import StoreUnusable
from app.store.folder import Folder
from app.store.store import Store

if TYPE_CHECKING:
    from app.store.bucket import Bucket


class StoreSettings(Protocol):
    """The settings that stores go by."""

    @property
    def data_root(self) -> Path:
        """Where files lie by default, and while they are written."""
        ...

    @property
    def store_url(self) -> str | None:
        """`s3://bucket/prefix` or `file:///folder`; the data root where None."""
        ...

    @property
    def store_endpoint(self) -> str | None:
        """Of a service that speaks S3 and is not Amazon's."""
        ...

    @property
    def store_key_id(self) -> str | None:
        """The access key's id."""
        ...

    @property
    def store_secret(self) -> str | None:
        """The access key's secret."""
        ...

    @property
    def store_region(self) -> str | None:
        """Of the bucket."""
        ...


def open_store(settings: StoreSettings) -> Store:
    """The store of an installation; nothing is asked of it yet. Raises StoreUnusable."""
    url = settings.store_url
    if url is None:
        return Store.in_folder(settings.data_root)
    scheme, _, rest = url.partition("://")
    match scheme:
        case "file":
            return Store(Folder(Path(rest)), settings.data_root)
        case "s3":
            bucket = _bucket(
                url, settings.store_endpoint, settings.store_key_id, settings.store_secret, settings.store_region
            )
            return Store(bucket, settings.data_root)
        case _:
            raise StoreUnusable(f"{url!r} is no store: its URL starts with s3:// or file://")


@cache
def _bucket(url: str, endpoint: str | None, key_id: str | None, secret: str | None, region: str | None) -> "Bucket":
    """One client a process: it keeps connections."""
    from app.store.bucket import Bucket  # brings half a second of imports

    return Bucket(url, endpoint=endpoint, key_id=key_id, secret=secret, region=region)
