"""A source document at its passage: what is marked, what stands around it, and what an untrusted document may
not do.
"""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from services import source_documents
from services.problems import Problem
from services.source_documents import SourceDocument
from tests.pdfs import pdf


def view() -> None:
    import streamlit as st

    from components.document_view import document_view
    from services.citations import results_of
    from services.clients import Identity

    (source,) = results_of(
        [
            {
                "content": {"text": st.session_state["passage"]},
                "location": {"type": "S3", "s3Location": {"uri": "s3://bucket/a.md"}},
            }
        ]
    )
    document_view(Identity("local", "localbedrock", "us-east-1"), source, key="view")


def _shown(monkeypatch: pytest.MonkeyPatch, document: SourceDocument | Problem, passage: str) -> AppTest:
    monkeypatch.setattr("components.document_view.fetch", lambda *_: document)
    app = AppTest.from_function(view, default_timeout=20)
    app.session_state["passage"] = passage
    app.run()
    assert not app.exception
    return app


def _document(name: str, kind: source_documents.Kind, content: bytes) -> SourceDocument:
    text = content.decode() if kind in ("markdown", "text") else ""
    return SourceDocument(name, kind, content, source_documents._digest(content), text)


def _markdown(app: AppTest) -> str:
    return "\n".join(each.value for each in app.markdown)


def test_markdown_opens_at_the_passage(monkeypatch: pytest.MonkeyPatch) -> None:
    paragraphs = [f"Paragraph {n} says **something** of interest. It is long enough." for n in range(40)]
    content = "\n\n".join(paragraphs).encode()
    app = _shown(monkeypatch, _document("a_b.md", "markdown", content), paragraphs[20])
    assert app.info[0].value == paragraphs[20]
    assert "Paragraph 19 says **something**" in _markdown(app)
    assert "Paragraph 21" in _markdown(app)
    assert "Paragraph 2 " not in _markdown(app)
    app.toggle(key="view_whole").set_value(True).run()
    assert "Paragraph 2 " in _markdown(app)
    assert "Paragraph 39 " in _markdown(app)


def test_a_document_is_data_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"![x](https://evil.example/x.png)\n\n:red[The passage.]\n\n<script>x</script> $a$"
    app = _shown(monkeypatch, _document("*a*.md", "markdown", content), "The passage.")
    assert "**\\*a\\*\\.md**" in _markdown(app)
    assert "\\![x]" in _markdown(app)
    assert app.info[0].value == "\\:red[The passage.]"
    text = _shown(monkeypatch, _document("a.txt", "text", b"# no heading\n\n  *x*"), "heading")
    assert text.info[0].value == "heading"
    assert "\\# no" in _markdown(text)
    assert "\\*x\\*" in _markdown(text)


def test_a_passage_inside_code_stays_code(monkeypatch: pytest.MonkeyPatch) -> None:
    app = _shown(monkeypatch, _document("a.md", "markdown", b"```\nx = 1\ny = 2\n```\n"), "x = 1")
    assert app.info[0].value == "```\nx = 1"


def test_a_passage_that_is_not_there_any_more_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    app = _shown(monkeypatch, _document("a.md", "markdown", b"# New\n\ntext"), "Old words")
    assert "may have changed" in app.caption[1].value
    assert [each.value for each in app.info] == ["Old words"]
    assert "# New" in _markdown(app)


def test_pdf_pages_can_be_turned(monkeypatch: pytest.MonkeyPatch) -> None:
    content = pdf(["One"], ["The passage is here"], ["Three"])
    app = _shown(monkeypatch, _document("a.pdf", "pdf", content), "The passage is here")
    assert "Page 2 of 3" in _markdown(app)
    _, following = (each for each in app.button if each.label.endswith("page"))
    following.click().run()
    assert "Page 3 of 3" in _markdown(app)
    _, following, back = app.button
    assert following.disabled
    back.click().run()
    assert "Page 2 of 3" in _markdown(app)


def test_a_pdf_that_cannot_be_drawn_leaves_the_passage(monkeypatch: pytest.MonkeyPatch) -> None:
    app = _shown(monkeypatch, _document("a.pdf", "pdf", b"no pdf"), "The passage")
    assert "damaged" in app.warning[0].value
    assert app.info[0].value == "The passage"


def test_other_formats_and_problems_leave_the_passage(monkeypatch: pytest.MonkeyPatch) -> None:
    app = _shown(monkeypatch, _document("a.docx", "file", b"PK"), "The passage")
    assert "not drawn here" in app.caption[1].value
    assert app.info[0].value == "The passage"
    problem = Problem(code="NoSuchKey", title="Gone", cause="It was deleted.", fix="Sync again.")
    app = _shown(monkeypatch, problem, "The passage")
    assert "It was deleted" in app.error[0].value
    assert app.info[0].value == "The passage"
