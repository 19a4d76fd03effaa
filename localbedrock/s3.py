"""What batch inference and knowledge bases need of S3: objects in, objects out, through the emulator."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import unescape
from urllib.parse import quote

from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from localbedrock.asgi import Answer
from localbedrock.emulator import Call
from localbedrock.keys import KeyPair

Deliver = Callable[[Call], Answer]
"""Makes one call to the emulator and blocks until it is answered."""

_OBJECT = re.compile(r"<Contents>(.*?)</Contents>", re.DOTALL)
_KEY = re.compile(r"<Key>(.*?)</Key>", re.DOTALL)
_ETAG = re.compile(r"<ETag>(.*?)</ETag>")
_SIZE = re.compile(r"<Size>(\d+)</Size>")
_NEXT = re.compile(r"<NextContinuationToken>(.*?)</NextContinuationToken>", re.DOTALL)
_CODE = re.compile(r"<Code>(.*?)</Code>")


class S3Error(Exception):
    """S3 refused; the message is a sentence that says what and why."""


@dataclass(frozen=True)
class Place:
    """A bucket, and a key or the beginning of keys in it."""

    bucket: str
    key: str

    @classmethod
    def of(cls, uri: str) -> Place:
        """The place of an ``s3://`` URI."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return cls(bucket, key)

    def under(self, name: str) -> Place:
        """A place below this one."""
        return Place(self.bucket, "/".join(part for part in (self.key.strip("/"), name) if part))

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True)
class Object:
    """One object of a listing. ``etag`` changes with the content; ``size`` is in bytes."""

    key: str
    etag: str
    size: int


@dataclass(frozen=True)
class Presigner:
    """Makes URLs with which whoever has one may read an object for a while. ``url`` is the endpoint's own."""

    url: str
    keys: KeyPair

    def __call__(self, region: str, place: Place, seconds: int) -> str:
        request = AWSRequest("GET", f"{self.url}/{place.bucket}/{quote(place.key, safe='/~')}")
        credentials = Credentials(self.keys.id, self.keys.secret)
        S3SigV4QueryAuth(credentials, "s3", region, seconds).add_auth(request)
        return str(request.url)


class S3:
    """Objects of one region. Every method raises S3Error with a sentence for what S3 refuses."""

    def __init__(self, deliver: Deliver, region: str) -> None:
        self._deliver = deliver
        self._region = region

    def check_bucket(self, place: Place) -> None:
        """Raises if the bucket does not exist."""
        self._list_page(place.bucket, "", "", 1)

    def files(self, place: Place) -> Iterator[tuple[str, bytes]]:
        """The ``.jsonl`` file at a place, or all below it: name relative to the place, and content."""
        folder = place.key.rstrip("/") + "/" if place.key else ""
        for key in (found.key for found in self.objects(Place(place.bucket, place.key.rstrip("/")))):
            if key.endswith(".jsonl") and (key == place.key or key.startswith(folder)):
                name = key.rpartition("/")[2] if key == place.key else key.removeprefix(folder)
                yield name, self.get(Place(place.bucket, key))

    def objects(self, place: Place) -> Iterator[Object]:
        """Every object whose key begins with the place's, in the order of the keys."""
        token = ""
        while True:
            listing = self._list_page(place.bucket, place.key, token, 1000)
            yield from map(_object, _OBJECT.findall(listing))
            more = _NEXT.search(listing)
            if more is None:
                return
            token = unescape(more[1])

    def get(self, place: Place) -> bytes:
        """An object's content."""
        return self._make("GET", place).body

    def put(self, place: Place, content: bytes) -> None:
        """Writes an object."""
        self._make("PUT", place, content)

    def delete(self, place: Place) -> None:
        """Deletes an object; nothing happens if there is none."""
        self._make("DELETE", place)

    def _list_page(self, bucket: str, prefix: str, token: str, most: int) -> str:
        query = f"list-type=2&max-keys={most}&prefix={quote(prefix, safe='')}"
        if token:
            query += f"&continuation-token={quote(token, safe='')}"
        return self._make("GET", Place(bucket, ""), query=query).body.decode()

    def _make(self, method: str, place: Place, content: bytes = b"", query: str = "") -> Answer:
        path = f"/{place.bucket}/{place.key}"
        try:
            answer = self._deliver(Call("s3", self._region, method, path, {}, content, query))
        except LookupError as error:  # there is no emulator
            raise S3Error(str(error)) from None
        if answer.status >= 300:
            code = _CODE.search(answer.body.decode(errors="replace"))
            why = code[1] if code else f"HTTP {answer.status}"
            what = str(place) if place.key else f"the bucket {place.bucket}"
            raise S3Error(f"S3 refused access to {what}: {why}.")
        return answer


def _object(listed: str) -> Object:
    key, etag, size = (pattern.search(listed) for pattern in (_KEY, _ETAG, _SIZE))
    return Object(
        unescape(key[1]) if key else "",
        unescape(etag[1]).strip('"') if etag else "",
        int(size[1]) if size else 0,
    )
