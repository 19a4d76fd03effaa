"""Where a retrieved passage comes from: the ten location types of knowledge bases, said in one way.

Source: RetrievalResultLocation of bedrock-agent-runtime.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

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
        if self.kind in ("SQL", "Custom") or "://" not in self.address:
            return " ".join(self.address.split()) or f"{self.kind} document"
        parts = urlsplit(self.address)
        return unquote(parts.path.rstrip("/").rpartition("/")[2]) or parts.netloc or self.address

    @property
    def is_web(self) -> bool:
        """Whether a browser can open the address."""
        return self.address.startswith(("https://", "http://"))


def location_of(reference: Mapping[str, Any]) -> Location:
    """The location of a retrieved reference or result; never raises, whatever AWS sent."""
    metadata = reference.get("metadata") or {}
    found = reference.get("location") or {}
    kind = str(found.get("type") or "")
    name, member, key = _MEMBERS.get(kind, (kind or "Unknown", "", ""))
    inner = found.get(member) if member else next((v for v in found.values() if isinstance(v, dict)), {})
    values = inner if isinstance(inner, dict) else {}
    address = values.get(key) if key else next((v for v in values.values() if isinstance(v, str)), "")
    return Location(name, str(address or metadata.get(SOURCE_URI_KEY) or ""), _page(metadata))


def _page(metadata: Mapping[str, Any]) -> int | None:
    for key in PAGE_KEYS:
        value = metadata.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool) and value == int(value):
            return int(value)
    return None
