"""Documents and their metadata files in S3."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from localbedrock.knowledge import parsing, sidecars
from localbedrock.knowledge.parsing import UnreadableError
from localbedrock.s3 import S3, Object, Place


@dataclass(frozen=True)
class Content:
    """What is read of a document. The ending of ``name`` tells the format, else ``mime_type``."""

    name: str
    mime_type: str
    data: bytes
    metadata: dict[str, Any]


def listing(s3: S3, bucket: str, prefixes: list[str]) -> tuple[dict[str, Object], dict[str, Object]]:
    """The documents below the prefixes by key, and the metadata files by the key of their document.

    S3Error if the bucket cannot be listed.
    """
    documents: dict[str, Object] = {}
    metadata: dict[str, Object] = {}
    for prefix in prefixes:
        for found in s3.objects(Place(bucket, prefix)):
            if found.key.endswith(sidecars.SUFFIX):
                metadata[found.key.removesuffix(sidecars.SUFFIX)] = found
            elif not found.key.endswith("/"):
                documents[found.key] = found
    return documents, metadata


def find(s3: S3, place: Place) -> Object:
    """One object as a listing has it; UnreadableError if there is none."""
    found = next(s3.objects(place), None)
    if found is None or found.key != place.key:
        raise UnreadableError(f"There is no object {place}.")
    return found


def read(s3: S3, bucket: str, document: Object, metadata: Object | None) -> Content:
    """A document with its metadata; neither is fetched if it is too large.

    UnreadableError for that and for metadata that are malformed, S3Error for what S3 refuses.
    """
    parsing.check_size(document.size)
    attributes = read_metadata(s3, bucket, metadata) if metadata is not None else {}
    name = document.key.rpartition("/")[2]
    return Content(name, "", s3.get(Place(bucket, document.key)), attributes)


def read_metadata(s3: S3, bucket: str, metadata: Object) -> dict[str, Any]:
    """The attributes of a metadata file; errors as in :func:`read`."""
    if metadata.size > sidecars.MAX_SIDECAR_BYTES:
        raise UnreadableError(
            f"The metadata file has {metadata.size:,} bytes: more than the {sidecars.MAX_SIDECAR_BYTES:,} "
            "that one may have."
        )
    return sidecars.metadata_of(s3.get(Place(bucket, metadata.key)))
