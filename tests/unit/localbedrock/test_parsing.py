"""Documents as text: what is read of each format, and that whatever cannot be read says why."""

from __future__ import annotations

import csv
import io
import threading
import time
import zipfile

import docx
import pytest

from localbedrock.knowledge.parsers import docx_file, page
from localbedrock.knowledge.parsers import pdf as pdf_parser
from localbedrock.knowledge.parsing import MAX_FILE_BYTES, Page, UnreadableError, parse
from tests.pdfs import encrypted_pdf, pdf


def _text(name: str, content: bytes, mime_type: str = "") -> str:
    (only,) = parse(name, content, mime_type)
    assert only.number is None
    return only.text


def _reason(name: str, content: bytes, mime_type: str = "") -> str:
    with pytest.raises(UnreadableError) as caught:
        parse(name, content, mime_type)
    reason = str(caught.value)
    assert reason.endswith(".")
    return reason


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_text_is_read_in_every_encoding_that_says_what_it_is(encoding: str) -> None:
    assert _text("a.txt", "Grüße\r\nаб 日本\r".encode(encoding)) == "Grüße\nаб 日本\n"


def test_markdown_stays_as_it_is_written() -> None:
    assert _text("READ.ME.md", b"# Title\n\n* a\n") == "# Title\n\n* a\n"


def test_text_that_is_not_utf8_is_refused_rather_than_garbled() -> None:
    reason = _reason("a.txt", "one\nZürich".encode("cp1252"))
    assert "not UTF-8 (byte 0xFC in line 2)" in reason
    assert "save it as UTF-8" in reason


@pytest.mark.parametrize("content", [b"\x00\x01\x02", "plain".encode("utf-16-le")])
def test_bytes_that_are_no_text_are_refused(content: bytes) -> None:
    assert "NUL bytes" in _reason("a.txt", content)


def test_the_ending_decides_before_the_mime_type() -> None:
    assert _text("a.TXT", b"<b>x</b>", "text/html") == "<b>x</b>"
    assert _text("faq v1.2", b"<b>x</b>", "text/html; charset=utf-8") == "x"


@pytest.mark.parametrize("name", ["a.doc", "a.xlsx", "picture.png", "song.mp3", "noending", "a.weird"])
def test_other_formats_are_named_with_what_is_read(name: str) -> None:
    assert ".txt, .md, .html, .pdf, .docx and .csv" in _reason(name, b"x")
    assert "are not read" in _reason("a.xlsx", b"x", "text/plain")


@pytest.mark.parametrize("name", ["a.txt", "a.pdf", "a.docx", "a.html", "a.csv"])
def test_empty_files(name: str) -> None:
    assert _reason(name, b"") == "The file is empty."


def test_a_file_over_the_quota_is_not_even_looked_at() -> None:
    assert "100.0 MB; the quota for one file is 50 MB" in _reason("a.pdf", bytes(2 * MAX_FILE_BYTES))


@pytest.mark.parametrize(
    ("name", "content"), [("a.txt", b" \n\t"), ("a.html", b"<script>x</script>"), ("a.csv", b",,\n,,")]
)
def test_nothing_but_blanks_is_no_document(name: str, content: bytes) -> None:
    assert _reason(name, content) == "The document holds no text."


def test_html_is_what_a_reader_sees() -> None:
    text = _text(
        "a.html",
        b"""<!doctype html><html><head><title>The &amp; title</title><meta charset="utf-8">
        <style>p { color: red }</style></head><body><script>steal()</script><h1>Heading</h1>
        <p>One
           two<br>three<!-- hidden words --></p><p hidden>no</p><div style="DISPLAY : none">no</div>
        <table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>
        <pre>x\n  y</pre><ul><li>1</li><li>2</li></ul><template>no</template></body></html>""",
    )
    assert text == "The & title\n\nHeading\n\nOne two\nthree\n\na | b\nc\n\nx\ny\n\n1\n2"


def test_html_is_read_in_the_encoding_that_it_declares() -> None:
    page = '<meta charset="iso-8859-1"><p>Zürich – heute'
    assert _text("a.htm", page.encode("cp1252")) == "Zürich – heute"
    for name in (b"klingon", b"rot13", b"idna"):
        assert "unknown text encoding" in _reason("a.html", b'<meta charset="%s"><p>x' % name)
    assert "not UTF-8" in _reason("a.html", "<p>Zürich".encode("cp1252"))


def test_html_without_tags_is_text() -> None:
    assert _text("a.html", b"http://example.com/a.html") == "http://example.com/a.html"


@pytest.mark.parametrize("tag", [b"<div>", b"<b><p>", b"<a ", b"<a x='", b"<!--x", b"<![CDATA[", b"<svg>"])
def test_html_made_to_keep_a_parser_busy_does_not(tag: bytes) -> None:
    began = time.process_time()
    text = _text("a.html", b"<body>words" + tag * 20_000 + b"<p>deep")
    assert text.startswith("words")
    assert text.endswith("deep") or tag not in (b"<div>", b"<b><p>")
    assert time.process_time() - began < 3


def test_pdf_pages_are_numbered_from_one() -> None:
    pages = parse("a.pdf", pdf(["First line", "second line"], [], ["Ünder (here)"]))
    assert pages == (Page(1, "First line\nsecond line"), Page(2, ""), Page(3, "Ünder (here)"))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (pdf(), "has no pages"),
        (pdf([]), "scanned"),
        (encrypted_pdf(), "encrypted with a password"),
        (b"%PDF-1.4\nnothing of the kind", "not a PDF, is damaged"),
        (b"\x89PNG\r\n", "not a PDF, is damaged"),
    ],
)
def test_pdfs_that_cannot_be_used(content: bytes, reason: str) -> None:
    assert reason in _reason("a.pdf", content)


def test_pdfs_with_too_much_in_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf_parser, "MAX_PAGES", 2)
    assert "more than 2 pages" in _reason("a.pdf", pdf(["a"], ["b"], ["c"]))
    monkeypatch.setattr(page, "MAX_TEXT_CHARACTERS", 10)
    assert "more than 10 characters" in _reason("a.pdf", pdf(["eleven letters"]))


def test_pdfs_are_read_from_many_threads() -> None:
    content, read = pdf(*([f"Page {n}"] for n in range(20))), []
    threads = [threading.Thread(target=lambda: read.append(parse("a.pdf", content))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {len(pages) for pages in read} == {20}
    assert len(read) == 8


def _docx(document: docx.document.Document) -> bytes:
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def test_docx_keeps_the_reading_order() -> None:
    document = docx.Document()
    document.add_heading("Heading", 1)
    document.add_paragraph("Before\tthe table")
    table = document.add_table(2, 2)
    for cell, words in zip((c for row in table.rows for c in row.cells), "abcd", strict=True):
        cell.text = words
    document.add_paragraph("After")
    assert _text("a.docx", _docx(document)) == "Heading\n\nBefore\tthe table\n\na | b\nc | d\n\nAfter"


@pytest.mark.parametrize(
    "content", [b"PK\x03\x04broken", b"no zip", _docx(docx.Document())[:2000]], ids=["zip", "text", "cut"]
)
def test_broken_docx(content: bytes) -> None:
    assert "not a DOCX document, or it is damaged" in _reason("a.docx", content)


def test_docx_that_is_another_zip_or_another_office_file() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("readme.txt", "x")
    assert "not a DOCX" in _reason("a.docx", file.getvalue())
    assert "encrypted with a password" in _reason("a.docx", b"\xd0\xcf\x11\xe0" + bytes(100))


def test_a_docx_that_unpacks_to_gigabytes_is_refused_unopened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docx_file, "_MAX_XML_BYTES", 1024**2)
    file = io.BytesIO(_docx(docx.Document()))
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/bomb.xml", bytes(2 * 1024**2))
    assert "too large when unpacked" in _reason("a.docx", file.getvalue())


def test_csv_rows_name_their_columns() -> None:
    content = b'name,price,note\n"Lamp, tall",20,\n\nDesk,90,"two\nlines"\nChair,5,x,extra\n'
    assert _text("a.csv", content) == (
        "name: Lamp, tall\nprice: 20\n\nname: Desk\nprice: 90\nnote: two\nlines\n\n"
        "name: Chair\nprice: 5\nnote: x\ncolumn 4: extra"
    )


def test_csv_with_semicolons_and_without_a_header() -> None:
    assert _text("a.csv", b"Lamp;20\nDesk;90\n") == (
        "column 1: Lamp\ncolumn 2: 20\n\ncolumn 1: Desk\ncolumn 2: 90"
    )
    assert _text("a.csv", b"name\tprice\n") == "name, price"


def test_csv_with_a_field_that_never_ends() -> None:
    content = b'a,b\n1,"' + b"x" * (csv.field_size_limit() + 1)
    assert "Row 2 of the CSV file has a field of more than" in _reason("a.csv", content)


def test_a_text_that_grows_out_of_bounds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "MAX_TEXT_CHARACTERS", 1000)
    assert "more than 1,000 characters" in _reason("a.csv", b"h" * 100 + b"\n" + b"1\n" * 20)
