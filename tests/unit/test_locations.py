"""Where a passage comes from, for all types of location of the service model and for new ones."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest

from services.locations import Location, location_of

TYPES: list[tuple[str, str, str, str, str, str]] = [
    ("S3", "s3Location", "uri", "s3://bucket/a/My file #1 100%.pdf", "S3", "My file #1 100%.pdf"),
    ("WEB", "webLocation", "url", "https://example.com/docs/a%20b?q=1#c", "Web", "a b"),
    ("CONFLUENCE", "confluenceLocation", "url", "https://x.atlassian.net/wiki/p/", "Confluence", "p"),
    (
        "SALESFORCE",
        "salesforceLocation",
        "url",
        "https://x.my.salesforce.com",
        "Salesforce",
        "x.my.salesforce.com",
    ),
    ("SHAREPOINT", "sharePointLocation", "url", "https://x.sharepoint.com/a.docx", "SharePoint", "a.docx"),
    ("CUSTOM", "customDocumentLocation", "id", "2222", "Custom", "2222"),
    ("KENDRA", "kendraDocumentLocation", "uri", "s3://b/k.html", "Kendra", "k.html"),
    ("SQL", "sqlLocation", "query", "SELECT *\n  FROM t", "SQL", "SELECT * FROM t"),
    ("ONEDRIVE", "oneDriveLocation", "url", "https://x-my.sharepoint.com/o.pptx", "OneDrive", "o.pptx"),
    ("GOOGLEDRIVE", "googleDriveLocation", "url", "https://drive.google.com/f/d1", "Google Drive", "d1"),
]


@pytest.mark.parametrize(("kind", "member", "name", "value", "said", "title"), TYPES)
def test_every_type_has_a_kind_an_address_and_a_title(
    kind: str, member: str, name: str, value: str, said: str, title: str
) -> None:
    location = location_of({"location": {"type": kind, member: {name: value}}})
    assert (location.kind, location.address, location.title) == (said, value, title)
    assert location.is_web == value.startswith("https://")


def test_the_types_are_those_of_the_service_model() -> None:
    model = botocore.session.get_session().get_service_model("bedrock-agent-runtime")
    shape = model.shape_for("RetrievalResultLocation")
    assert {kind for kind, *_ in TYPES} == set(shape.members["type"].enum)
    assert {member for _, member, *_ in TYPES} == set(shape.members) - {"type"}
    for _, member, name, *_ in TYPES:
        assert name in shape.members[member].members


def test_a_type_of_tomorrow_says_its_name_and_its_first_text() -> None:
    found = {"type": "NOTION", "notionLocation": {"depth": 3, "url": "https://notion.so/p/Plan"}}
    location = location_of({"location": found})
    assert (location.kind, location.address, location.title) == ("NOTION", "https://notion.so/p/Plan", "Plan")
    assert location_of({"location": {"type": "NOTION"}}) == Location("NOTION", "")


def test_the_address_of_the_metadata_stands_in_for_one_that_is_missing() -> None:
    metadata = {"x-amz-bedrock-kb-source-uri": "s3://b/a.md"}
    assert location_of({"metadata": metadata}).title == "a.md"
    assert location_of({"location": {"type": "S3"}, "metadata": metadata}) == Location("S3", "s3://b/a.md")


@pytest.mark.parametrize(
    "strange",
    [
        {},
        {"location": None, "metadata": None},
        {"location": "s3://b/a"},
        {"location": {"type": "S3", "s3Location": "s3://b/a"}},
        {"location": {"type": 5, "x": {"y": {}}}},
        {"location": {"type": "WEB", "webLocation": {"url": "https://[bad"}}},
        {"metadata": ["page"]},
    ],
)
def test_nothing_that_was_sent_raises(strange: dict[str, Any]) -> None:
    assert location_of(strange).title


@pytest.mark.parametrize(
    ("value", "page"),
    [
        (3, 3),
        (3.0, 3),
        ("12", 12),
        (0, None),
        (-1, None),
        (2.5, None),
        (True, None),
        ("iv", None),
        (None, None),
        (float("nan"), None),
        (float("inf"), None),
        ([3], None),
    ],
)
def test_a_page_is_a_whole_number_from_one(value: Any, page: int | None) -> None:
    """The service sends pages as 3.0; a sidecar may say anything."""
    metadata = {"x-amz-bedrock-kb-document-page-number": value}
    assert location_of({"metadata": metadata}).page == page
    assert location_of({"metadata": {"page": 4} | metadata}).page == (page or 4)
