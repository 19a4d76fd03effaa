"""Files are known by their content, named as AWS wants it, and refused with a sentence."""

from __future__ import annotations

import doctest
import io
import re
import zipfile
from typing import Any

import pytest
from PIL import Image

from services import attachments, file_formats
from services.attachments import Attachment, blocks, document_name, prompt_problem, read, refused
from services.capabilities import Capabilities
from services.models import Model
from services.problems import Problem

AWS_NAME = re.compile(r"(?!.*  )[A-Za-z0-9 ()\[\]-]{1,200}")


def picture(format: str, size: tuple[int, int] = (4, 3)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size).save(out, format)
    return out.getvalue()


def archive(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name in names:
            file.writestr(name, "x")
    return out.getvalue()


def model(*modalities: str, base: str = "x.y-v1:0", family: str = "known") -> Model:
    capabilities = Capabilities(family=family, input_modalities=frozenset(modalities))
    return Model(base, "", "Model Y", "X", "foundation", base, capabilities=capabilities)


def file(name: str, data: bytes) -> Attachment:
    found = read(name, data)
    assert isinstance(found, Attachment), found
    return found


def problem(name: str, data: bytes) -> Problem:
    found = read(name, data)
    assert isinstance(found, Problem), found
    assert found.title
    assert found.cause.endswith(".")
    assert found.fix.endswith(".")
    return found


@pytest.mark.parametrize("module", [attachments, file_formats])
def test_examples(module: Any) -> None:
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("name", "data", "kind", "format"),
    [
        ("a.png", picture("PNG"), "image", "png"),
        ("a.jpg", picture("JPEG"), "image", "jpeg"),
        ("a.gif", picture("GIF"), "image", "gif"),
        ("a.webp", picture("WEBP"), "image", "webp"),
        ("a.pdf", b"%PDF-1.7 x", "document", "pdf"),
        ("a.docx", archive("word/document.xml"), "document", "docx"),
        ("a.xlsx", archive("xl/workbook.xml"), "document", "xlsx"),
        (
            "a.doc",
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "WordDocument".encode("utf-16-le"),
            "document",
            "doc",
        ),
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "Workbook".encode("utf-16-le"), "document", "xls"),
        ("a.csv", b"a,b\n1,2\n", "document", "csv"),
        ("a.htm", b"<p>Hi</p>", "document", "html"),
        ("a.md", "# é 日本".encode(), "document", "md"),
        ("a.py", b"print(1)", "document", "txt"),
        ("noending", b"words", "document", "txt"),
        ("latin.txt", "caf\xe9".encode("latin-1"), "document", "txt"),
        ("wide.txt", "Hi".encode("utf-16"), "document", "txt"),
        ("BMW.txt", b"BMW and MZ are fine", "document", "txt"),
        ("a.mp4", b"\0\0\0\x18ftypisom", "video", "mp4"),
        ("a.mov", b"\0\0\0\x18ftypqt  ", "video", "mov"),
        ("a.3gp", b"\0\0\0\x18ftyp3gp4", "video", "three_gp"),
        ("a.webm", b"\x1aE\xdf\xa3....webm", "video", "webm"),
        ("a.m4a", b"\0\0\0\x18ftypM4A ", "audio", "m4a"),
        ("a.mp3", b"ID3\x03", "audio", "mp3"),
        ("a.wav", b"RIFF\0\0\0\0WAVE", "audio", "wav"),
        ("a.opus", b"OggS" + b"\0" * 24 + b"OpusHead", "audio", "opus"),
    ],
)
def test_a_file_is_what_its_content_says(name: str, data: bytes, kind: str, format: str) -> None:
    found = file(name, data)
    assert (found.kind, found.format) == (kind, format)
    assert found.label == (name if not name.endswith(".py") else "a.py (sent as TXT)")


def test_formats_are_those_of_the_service_model() -> None:
    import botocore.session

    shapes = botocore.session.get_session().get_service_model("bedrock-runtime")
    formats = {
        kind: set(shapes.shape_for(f"{kind.title()}Format").enum)
        for kind in ("image", "document", "video", "audio")
    }
    for _, kind, found in file_formats._SIGNATURES:
        assert found in formats[kind]
    assert {*file_formats._TEXT_SUFFIXES.values()} <= formats["document"]


def test_a_name_that_says_something_else_is_told() -> None:
    found = file("photo.png", picture("JPEG"))
    assert found.format == "jpeg"
    assert found.label == "photo.png (sent as JPEG)"


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("bill.pdf", b"MZ\x90\0\x03\0\0\0", "a Windows program"),
        ("notes.pdf", b"just words", "text, not PDF"),
        ("photo.png", b"just words", "text, not PNG"),
        ("empty.txt", b"", "empty"),
        ("set.docx", archive("a.txt"), "a ZIP archive"),
        ("half.docx", archive("word/document.xml")[:40], "damaged"),
        ("half.png", picture("PNG")[:20], "damaged"),
        ("x.bin", b"\0\1\2", "neither text"),
        ("x.heic", b"\0\0\0\x18ftypheic", "HEIC"),
        ("wide.png", picture("PNG", (8001, 1)), "8,001 x 1 pixels"),
        ("big.mp4", b"\0\0\0\x18ftypisom" + bytes(20_000_000), "20 MB"),
        ("big.png", picture("PNG") + bytes(20_000_000), "3.75 MB"),
    ],
)
def test_what_cannot_be_sent_is_refused_in_a_sentence(name: str, data: bytes, words: str) -> None:
    found = problem(name, data)
    assert words in found.cause
    assert name in found.title


@pytest.mark.parametrize(
    "name",
    [
        'Q3 "résumé" 😀.pdf',
        "nul\0 and\nline.txt",
        "../../etc/passwd",
        "😀.md",
        "",
        ".",
        "x" * 500 + ".pdf",
        "a_b__c.pdf",
        "two  spaces .pdf",
    ],
)
def test_every_name_becomes_one_that_aws_takes(name: str) -> None:
    first = document_name(name, ())
    second = document_name(name, {first})
    assert AWS_NAME.fullmatch(first)
    assert AWS_NAME.fullmatch(second)
    assert first != second
    assert first == first.strip()
    shown = attachments.shown_name(name)
    assert shown.isprintable()
    assert 0 < len(shown) <= 80


def test_a_quote_in_the_name_of_an_upload_is_shown_as_one() -> None:
    assert file("a %22b%22.txt", b"1").name == 'a "b".txt'


def test_two_files_of_one_name_stay_apart_in_the_conversation() -> None:
    files = [file("a.txt", b"1"), file("a.txt", b"2")]
    content, labels = blocks("Compare.", files, {"a"})
    assert [block["document"]["name"] for block in content[:2]] == ["a (2)", "a (3)"]
    assert labels == ("a.txt", "a.txt")
    assert content[-1] == {"text": "Compare."}
    assert attachments.document_names(content) == ["a (2)", "a (3)"]


def test_blank_words_are_not_sent() -> None:
    content, _ = blocks(" \n", [file("a.png", picture("PNG"))])
    assert [*content[0]] == ["image"]
    assert len(content) == 1


def test_what_no_model_takes() -> None:
    text = file("a.txt", b"1")
    image = file("a.png", picture("PNG"))
    assert prompt_problem("Hi", [text] * 5) is None
    assert prompt_problem("", [image]) is None
    for words, files, title in (
        ("", [text], "A document needs words beside it"),
        ("Hi", [text] * 6, "Too many documents"),
        ("Hi", [image] * 21, "Too many images"),
        ("Hi", [file("a.pdf", b"%PDF-" + bytes(10_000_000))] * 2, "The files are too large for one request"),
    ):
        found = prompt_problem(words, files)
        assert found
        assert found.title == title


def test_each_model_is_asked_for_what_it_takes() -> None:
    image, _ = blocks("Hi", [file("a.png", picture("PNG"))])
    found = refused(image, [], model("TEXT"))
    assert found
    assert found.title == "Model Y takes no images"
    assert found.action == "retry"
    assert refused(image, [], model("TEXT", "IMAGE")) is None
    assert refused(image, [], model()) is None, "what is not known never blocks"
    before = [{"role": "user", "content": image}, {"role": "assistant", "content": [{"text": "A cat"}]}]
    later = refused([{"text": "And?"}], before, model("TEXT"))
    assert later
    assert later.action == "shorten"


def test_documents_are_blocked_only_where_it_is_known() -> None:
    pdf, _ = blocks("Hi", [file("a.pdf", b"%PDF-1")])
    words, _ = blocks("Hi", [file("a.md", b"# Hi")])
    assert refused(pdf, [], model("TEXT"))
    assert refused(pdf, [], model("TEXT", family="unknown")) is None
    assert refused(pdf, [], model("TEXT", "DOCUMENT")) is None
    assert refused(words, [], model("TEXT")) is None


def test_a_large_pdf_goes_where_aws_takes_it() -> None:
    pdf, _ = blocks("Hi", [file("a.pdf", b"%PDF-" + bytes(6_000_000))])
    old = refused(pdf, [], model(base="anthropic.claude-3-haiku-20240307-v1:0"))
    assert old
    assert "4.5 MB" in old.cause
    assert refused(pdf, [], model(base="anthropic.claude-sonnet-4-5-20250929-v1:0")) is None
    assert refused(pdf, [], model(base="amazon.nova-pro-v1:0")) is None


def test_the_chat_so_far_counts_too() -> None:
    four, _ = blocks("Hi", [file("a.txt", b"1")] * 4)
    two, _ = blocks("Hi", [file("b.txt", b"1")] * 2)
    found = refused(two, [{"role": "user", "content": four}], model())
    assert found
    assert found.title == "Too many documents"
    assert found.action == "shorten"
