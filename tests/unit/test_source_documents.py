"""The source of a passage: fetched once for each version and identity, and the passage found in it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.response import StreamingBody
from PIL import Image

from services import clients, pdf_pages, source_documents
from services.citations import Source, results_of
from services.clients import Identity
from services.passages import Letters, page_of, passage_of, passage_on_page, with_marks
from services.pdf_pages import Pdf, PdfError
from services.problems import Problem
from services.source_documents import SourceDocument, fetch
from tests.pdfs import encrypted_pdf, pdf

LOCAL = Identity("local", "localbedrock", "us-east-1")
OTHER = Identity("aws", "other", "us-east-1")
MEMBERS = {"S3": ("s3Location", "uri"), "WEB": ("webLocation", "url"), "SQL": ("sqlLocation", "query")}


def source(kind: str, address: str, text: str = "words", **metadata: Any) -> Source:
    member, key = MEMBERS.get(kind, ("customDocumentLocation", "id"))
    location = {"type": kind, member: {key: address}}
    (found,) = results_of([{"content": {"text": text}, "location": location, "metadata": metadata}])
    return found


class Bucket:
    """S3 as one dict, which counts what it hands out."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.gets = 0
        self.size: int | None = None

    def head_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        if Key not in self.objects:
            raise ClientError({"Error": {"Code": "404", "Message": "Not Found"}}, "HeadObject")
        content = self.objects[Key]
        return {"ContentLength": self.size or len(content), "ETag": f'"{hash(content)}"'}

    def get_object(self, *, Bucket: str, Key: str, IfMatch: str) -> dict[str, Any]:  # noqa: N803
        self.gets += 1
        content = self.objects[Key]
        return {"Body": StreamingBody(io.BytesIO(content), len(content)), "ContentType": "text/plain"}


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    made = Bucket()
    monkeypatch.setattr(clients, "client", lambda service, identity: made)
    yield made
    source_documents._etag.clear()
    source_documents._object.clear()


@pytest.mark.parametrize(
    ("key", "content", "kind", "text"),
    [
        ("docs/a.md", b"# T\r\nx", "markdown", "# T\nx"),
        ("a.TXT", "Grüße".encode("utf-16"), "text", "Grüße"),
        ("no ending", b"x", "text", "x"),
        ("a.pdf", b"%PDF", "pdf", ""),
        ("a.html", b"<script>x</script>", "file", ""),
        ("a.txt", b"Z\xfcrich", "file", ""),
    ],
)
def test_documents_are_what_their_names_say(
    bucket: Bucket, key: str, content: bytes, kind: str, text: str
) -> None:
    bucket.objects[key] = content
    if kind == "file":
        bucket.get_object = lambda **_: {"Body": io.BytesIO(content)}  # type: ignore[method-assign]
    found = fetch(LOCAL, source("S3", f"s3://bucket/{key}"))
    assert isinstance(found, SourceDocument)
    assert (found.name, found.kind, found.text, found.content) == (key.split("/")[-1], kind, text, content)


def test_a_document_is_fetched_once_for_each_version_and_identity(bucket: Bucket) -> None:
    bucket.objects["a.txt"] = b"first"
    wanted = source("S3", "s3://bucket/a.txt")
    for identity in (LOCAL, LOCAL, OTHER, OTHER):
        assert fetch(identity, wanted).text == "first"  # type: ignore[union-attr]
    assert bucket.gets == 2
    bucket.objects["a.txt"] = b"second"
    source_documents._etag.clear()  # as a minute later
    assert fetch(LOCAL, wanted).text == "second"  # type: ignore[union-attr]


def test_what_cannot_be_fetched_is_a_problem(bucket: Bucket) -> None:
    missing = fetch(LOCAL, source("S3", "s3://bucket/missing.txt"))
    assert isinstance(missing, Problem)
    bucket.objects["big.txt"] = b"x"
    bucket.size = 100 * 1024**2
    large = fetch(LOCAL, source("S3", "s3://bucket/big.txt"))
    assert isinstance(large, Problem)
    assert "big.txt has 100 MB; at most 50 MB" in large.cause
    assert bucket.gets == 0


def test_where_nothing_can_be_fetched_the_reason_is_said() -> None:
    link = fetch(LOCAL, source("WEB", "https://example.com/a"))
    row = fetch(LOCAL, source("SQL", "select 1"))
    custom = fetch(LOCAL, source("CUSTOM", "doc-1"))
    assert isinstance(link, SourceDocument)
    assert isinstance(row, SourceDocument)
    assert isinstance(custom, SourceDocument)
    assert (link.kind, row.kind, custom.kind) == ("link", "passage", "passage")
    assert "row" in row.note
    assert "knowledge base" in custom.note


def test_a_custom_document_comes_from_the_address_that_bedrock_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    class Runtime:
        def get_document_content(self, **arguments: Any) -> dict[str, Any]:
            asked.append(arguments)
            return {"mimeType": "text/markdown", "presignedUrl": "ftp://elsewhere/x"}

    monkeypatch.setattr(clients, "client", lambda service, identity: Runtime())
    wanted = source("CUSTOM", "doc-1", **{"x-amz-bedrock-kb-data-source-id": "DS00000001"})
    problem = fetch(LOCAL, wanted, "KB00000001")
    assert isinstance(problem, Problem), "an address that is no web address is not opened"
    assert asked == [
        {
            "knowledgeBaseId": "KB00000001",
            "dataSourceId": "DS00000001",
            "documentId": "doc-1",
            "outputFormat": "RAW",
        }
    ]


@pytest.mark.parametrize(
    ("document", "passage", "found"),
    [
        ("One. Two  three\nfour. Five.", "Two three four.", "Two  three\nfour"),
        ("a hyphen-\nated word, indeed", "hyphenated word", "hyphen-\nated word"),
        ("see **bold** and `code`", "see bold and code", "see **bold** and `code"),
        ("the ﬁrst Straße", "first strasse", "ﬁrst Straße"),
        ("soft\u00adhyphen 日本語。次", "softhyphen 日本語", "soft\u00adhyphen 日本語"),
    ],
)
def test_passages_are_found_although_the_white_space_differs(document: str, passage: str, found: str) -> None:
    place = passage_of(document, passage)
    assert place is not None
    assert document[slice(*place)] == found


def test_passages_that_are_not_there() -> None:
    assert passage_of("some text", "other text") is None
    assert passage_of("some text", " .,") is None
    assert passage_of("", "x") is None


def test_a_passage_with_something_in_between_is_found_by_its_ends() -> None:
    words = [f"word{n}" for n in range(60)]
    document = "Before. " + " ".join([*words[:30], "(a footnote)", *words[30:]]) + " After."
    place = passage_of(document, " ".join(words))
    assert place is not None
    assert document[slice(*place)] == document.removeprefix("Before. ").removesuffix(" After.")


def test_a_passage_over_two_pages() -> None:
    first, second = "Head. The lamp must be", "returned within thirty days. Tail."
    passage = "The lamp must be returned within thirty days."
    assert page_of(["Nothing.", first, second], passage) == 1
    assert page_of([first], "not there") is None
    page = Letters.of(first)
    start, end = page.span(*(passage_on_page(page, passage) or (0, 0)))
    assert first[start:end] == "The lamp must be"
    page = Letters.of(second)
    start, end = page.span(*(passage_on_page(page, passage) or (0, 0)))
    assert second[start:end] == "returned within thirty days"
    assert passage_on_page(Letters.of("Another page."), passage) is None


def _pdf(*pages: list[str]) -> Pdf:
    content = pdf(*pages)
    return Pdf(source_documents._digest(content), content)


def test_a_pdf_page_is_drawn_with_the_passage_marked() -> None:
    document = _pdf(["Cover"], ["Intro line", "The lamp is re-", "turned here."], ["End"])
    passage = "The lamp is returned here."
    assert pdf_pages.page_count(document) == 3
    assert pdf_pages.passage_page(document, passage, None) == 2
    assert pdf_pages.passage_page(document, passage, 3) == 2
    assert pdf_pages.passage_page(document, "not there", 3) == 3
    assert pdf_pages.passage_page(document, "not there", 99) is None
    drawn = pdf_pages.picture(document, 2, passage)
    image = Image.open(io.BytesIO(drawn.png))
    assert drawn.marked
    assert max(image.size) <= pdf_pages.MOST_PIXELS
    marked = [y for y in range(image.height) for x in range(0, image.width, 3) if _yellow(image, x, y)]
    line = 16 * image.height / 792
    assert line < max(marked) - min(marked) < 2.5 * line, "two lines, and not the one above them"
    assert not pdf_pages.picture(document, 1, passage).marked


def _yellow(image: Image.Image, x: int, y: int) -> bool:
    return image.getpixel((x, y)) == pdf_pages._MARKER


def test_pdfs_that_cannot_be_drawn_say_why() -> None:
    with pytest.raises(PdfError, match="encrypted"):
        pdf_pages.page_count(Pdf("e", encrypted_pdf()))
    with pytest.raises(PdfError, match="damaged"):
        pdf_pages.page_count(Pdf("d", b"%PDF-1.7 nothing"))


def test_the_marks_at_a_passages_edges_are_shown_with_it() -> None:
    text = "Before.\n\n## “Keep Warm”\nIt ends after 5 minutes.\n\nAfter."
    passage = "## “Keep Warm” It ends after 5 minutes. "
    place = passage_of(text, passage)
    assert place
    assert text[slice(*with_marks(text, place, passage))] == "## “Keep Warm”\nIt ends after 5 minutes."
    assert with_marks("one, two", (0, 3), "one") == (0, 3)
