"""Where a retrieved passage comes from: the ten location types of knowledge bases, said in one way.

Source: RetrievalResultLocation of bedrock-agent-runtime.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

_MEMBERS = {
    "S3": ("S3", "s3Location", "uri"),
    "WEB": ("Web", "webLocation", "url"),
    "CONFLUENCE": ("Confluence", "confluenceLocation", "url"),
    "SALESFORCE": ("Salesforce", "salesforceLocation", "url"),
    "SHAREPOINT": ("SharePoint", "sharePointLocation", "url"),
    "CUSTOM": ("Custom", "customDocumentLocation", "id"),
    "KENDRA": ("Kendra", "kendraDocumentLocation", "uri"),
    "SQL": ("SQL", "sqlLocation", "query"),
    "ONEDRIVE": ("OneDrive", "oneDriveLocation", "url"),
    "GOOGLEDRIVE": ("Google Drive", "googleDriveLocation", "url"),
}
PAGE_KEYS = ("x-amz-bedrock-kb-document-page-number", "page", "page_number")
DATA_SOURCE_KEY = "x-amz-bedrock-kb-data-source-id"
SOURCE_URI_KEY = "x-amz-bedrock-kb-source-uri"


@dataclass(frozen=True)
class Location:
    """`kind` is the type in words ("S3", "Google Drive"; AWS's own name for a type that is new).

    `address` is the URI, URL, document id or SQL query; "" where AWS sent none. `page` counts from 1.
    """

    kind: str
    address: str
    page: int | None = None

    @property
    def title(self) -> str:
        """A short name: the file's, the host's and path's last part, or the address itself."""
        scheme, separator, rest = self.address.partition("://")
        if self.kind in ("SQL", "Custom") or not separator:
            return " ".join(self.address.split()) or f"{self.kind} document"
        if scheme == "s3":  # a key is no URL: "#", "?" and "%" are its own
            return rest.rstrip("/").rpartition("/")[2] or self.address
        host, _, path = re.split(r"[?#]", rest, maxsplit=1)[0].partition("/")
        return unquote(path.rstrip("/").rpartition("/")[2]) or host or self.address

    @property
    def is_web(self) -> bool:
        """Whether a browser can open the address."""
        return self.address.startswith(("https://", "http://"))


def location_of(reference: Mapping[str, Any]) -> Location:
    """The location of a retrieved reference or result; never raises, whatever AWS sent."""
    metadata = mapping(reference.get("metadata"))
    found = mapping(reference.get("location"))
    kind = str(found.get("type") or "")
    name, member, key = _MEMBERS.get(kind, (kind or "Unknown", "", ""))
    if member:
        address = mapping(found.get(member)).get(key)
    else:  # a type that is new: the first text in its member
        inner = next((value for value in found.values() if isinstance(value, Mapping)), {})
        address = next((value for value in inner.values() if isinstance(value, str)), "")
    return Location(name, str(address or metadata.get(SOURCE_URI_KEY) or ""), _page(metadata))


def mapping(value: Any) -> Mapping[str, Any]:
    """The value where it is an object, else an empty one: an imported run may hold anything."""
    return value if isinstance(value, Mapping) else {}


def mappings(value: Any) -> list[Any]:
    """The objects in a list; [] where the value is none."""
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list | tuple) else []


def _page(metadata: Mapping[str, Any]) -> int | None:
    for key in PAGE_KEYS:
        value = metadata.get(key)
        if isinstance(value, str) and value.strip().isdecimal():
            value = int(value)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
            return value
    return None
