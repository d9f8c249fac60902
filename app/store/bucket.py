"""A store in a bucket that speaks S3, over fsspec. The library is imported by whoever uses one."""

import datetime
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from app.store.errors import MissingObject, StoreDown, StoreUnusable
from app.store.files import Entry, plain

CONNECT_SECONDS = 5
READ_SECONDS = 60
ATTEMPTS = 2  # by the library, of one request; longer patience is the caller's
REFUSALS = ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "NoSuchBucket", "InvalidBucketName")


class Bucket:
    """Files below a prefix of a bucket. A file has its name once it is complete: an upload in parts ends at once."""

    def __init__(
        self,
        url: str,
        *,
        endpoint: str | None = None,
        key_id: str | None = None,
        secret: str | None = None,
        region: str | None = None,
    ) -> None:
        """
        Args:
            url: `s3://bucket/prefix`.
            endpoint: of a service other than Amazon's, e.g. `http://minio:9000`.
            key_id: with `secret`, the access key; where unset, what the machine's own AWS setup says.
            secret: of the access key.
            region: of the bucket, where the service wants to know.

        Raises:
            StoreUnusable: the library is not installed.
        """
        try:
            import s3fs  # pyright: ignore[reportMissingTypeStubs]
            from botocore.exceptions import (  # pyright: ignore[reportMissingTypeStubs]
                BotoCoreError,
                ClientError,
                NoCredentialsError,
            )
        except ImportError as error:
            raise StoreUnusable(f"a store at {url} needs the package s3fs: install cellar[s3]") from error
        self.url = url.rstrip("/")
        self._root = self.url.removeprefix("s3://")
        self._refused: tuple[type[Exception], ...] = (PermissionError, NoCredentialsError)
        self._down: tuple[type[Exception], ...] = (OSError, BotoCoreError, ClientError)
        self._files: Any = s3fs.S3FileSystem(
            key=key_id,
            secret=secret,
            endpoint_url=endpoint,
            client_kwargs={} if region is None else {"region_name": region},
            config_kwargs={
                "connect_timeout": CONNECT_SECONDS,
                "read_timeout": READ_SECONDS,
                "retries": {"max_attempts": ATTEMPTS},
            },
            use_listings_cache=False,
            skip_instance_cache=True,
        )
        self._files.retries = ATTEMPTS

    def __str__(self) -> str:
        return self.url

    def put(self, file: Path, path: str) -> None:
        """Upload the file; a large one goes in parts."""
        with self._explained(f"{path} cannot be written"):
            try:
                self._files.put_file(str(file), self._key(path))
            except FileNotFoundError as error:
                raise PermissionError(str(error)) from error  # the bucket is not there

    def local(self, path: str) -> Path | None:
        """Nowhere on this machine."""
        plain(path)
        return None

    def fetch(self, path: str, target: Path) -> None:
        """Download the file. Raises MissingObject."""
        with self._explained(f"{path} cannot be read"):
            try:
                self._files.get_file(self._key(path), str(target))
            except FileNotFoundError as error:
                raise MissingObject(path) from error

    def size(self, path: str) -> int | None:
        """Bytes of the file, None where there is none."""
        with self._explained(f"{path} cannot be read"):
            try:
                return int(self._files.info(self._key(path))["size"])
            except FileNotFoundError:
                return None

    def entries(self, directory: str) -> Iterator[Entry]:
        """Every file below a directory."""
        with self._explained(f"{directory} cannot be listed"):
            found: dict[str, dict[str, Any]] = self._files.find(self._key(directory), detail=True)
        for key, about in sorted(found.items()):
            changed = about.get("LastModified")
            if about.get("type") == "file" and isinstance(changed, datetime.datetime):
                yield Entry(
                    path=key.removeprefix(f"{self._root}/"), bytes=int(about["size"]), modified=changed.timestamp()
                )

    def remove(self, path: str) -> None:
        """Remove the file if it is there."""
        with self._explained(f"{path} cannot be removed"), suppress(FileNotFoundError):
            self._files.rm_file(self._key(path))

    def clear_unfinished(self, older_than_seconds: float) -> int:
        """Abort uploads in parts that were never ended and are older; says how many."""
        bucket, _, prefix = self._root.partition("/")
        before = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=older_than_seconds)
        cleared = 0
        with self._explained("unfinished uploads cannot be listed"):
            found: Any = self._files.call_s3("list_multipart_uploads", Bucket=bucket, Prefix=prefix)
            for upload in found.get("Uploads") or ():
                if upload["Initiated"] < before:
                    self._files.call_s3(
                        "abort_multipart_upload", Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                    )
                    cleared += 1
        return cleared

    def _key(self, path: str) -> str:
        return f"{self._root}/{plain(path)}"

    @contextmanager
    def _explained(self, doing: str) -> Generator[None]:
        """Say what failed in the words of this package."""
        try:
            yield
        except self._refused as error:
            raise StoreUnusable(f"{doing}: the store {self} refuses: {error}") from error
        except self._down as error:
            said = str(error) or type(error).__name__
            if any(code in said for code in REFUSALS):
                raise StoreUnusable(f"{doing}: the store {self} refuses: {said}") from error
            raise StoreDown(f"{doing}: the store {self} is out of reach: {said}") from error
