"""Passages by rank, nothing found explained, and two retrievals compared."""

from __future__ import annotations

from typing import Any

from streamlit.testing.v1 import AppTest

from services.citations import Answer, Span, results_of
from tests.unit.rag import reference


def view() -> None:
    import streamlit as st

    from components.retrieval_comparison import compare_answers, compare_retrievals
    from components.retrieval_results import retrieval_results

    shown = st.session_state["shown"]
    if shown == "results":
        retrieval_results(
            st.session_state["results"],
            key="r",
            question="refund policy",
            filtered=st.session_state["filtered"],
        )
    elif shown == "compared":
        compare_retrievals("Why?", st.session_state["results"], st.session_state["right"], ("A", "B"))
    else:
        compare_answers("Why?", st.session_state["left_answer"], st.session_state["right_answer"], ("A", "A"))


def drawn(shown: str, **state: Any) -> AppTest:
    app = AppTest.from_function(view, default_timeout=30)
    for name, value in {"shown": shown, "filtered": False, **state}.items():
        app.session_state[name] = value
    app.run()
    assert not app.exception
    return app


def words(app: AppTest) -> str:
    return "\n".join(str(each.value) for each in [*app.markdown, *app.caption, *app.info])


def found(*texts: str) -> Any:
    return results_of(
        [reference(text, f"s3://b/{rank}.md") | {"score": 1 / rank} for rank, text in enumerate(texts, 1)]
    )


def test_passages_are_drawn_as_they_stand_with_the_words_of_the_question_marked() -> None:
    strange = reference("<b>A refund</b> ![x](http://e.org/a.png) $x$", "s3://b/a.md", page=3)
    app = drawn("results", results=results_of([strange | {"score": 0.62442}]))
    said = words(app)
    assert "**1** · **a\\.md** · page 3 · S3" in said
    assert ":orange-background[refund]" in said
    assert "\\<b\\>A" in said
    assert "\\!\\[x\\]" in said
    assert "1 passage · from 1 document · scores 0.624 to 0.624" in said
    assert not app.code, "AWS's own object is drawn once it is asked for"
    app.session_state["r_raw_1"] = True
    app.run()
    assert not app.exception
    assert '"score": 0.62442' in app.code[0].value


def test_many_passages_are_shown_on_demand() -> None:
    app = drawn("results", results=found(*map(str, range(25))))
    assert "**10**" in words(app)
    assert "**11**" not in words(app)
    app.button(key="r_more").click().run()
    assert "**25**" in words(app)


def test_strange_results_are_drawn() -> None:
    """Without text, score or location; with scores beyond 1 and below 0."""
    results = results_of(
        [
            {"content": {"type": "IMAGE"}, "score": None},
            reference("a", "s3://b/a") | {"score": 17.5},
            reference("b" * 5000, "s3://b/b") | {"score": -2},
            {},
        ]
    )
    said = words(drawn("results", results=results))
    assert "content of type IMAGE" in said
    assert "2,000 more characters" in said
    assert "no score" in said


def test_nothing_found_is_explained() -> None:
    said = words(drawn("results", results=()))
    assert "No passage was found" in said
    assert "sync" in said
    assert "fit no document" not in said
    assert "fit no document" in words(drawn("results", results=(), filtered=True))


def test_two_retrievals_are_one_sentence_and_one_table() -> None:
    left = found("a", "b", "c")
    app = drawn("compared", results=left, right=(left[1], left[0]))
    assert "2 of 3 passages are in both" in words(app).replace("\\", "")
    table = app.dataframe[0].value
    assert list(table["change"]) == ["▲ 1", "▼ 1", "gone"]
    assert list(table["A: rank"]) == [2, 1, 3]
    assert list(table["B: rank"].fillna(0)) == [1, 2, 0]
    assert "page" not in table, "a column without a value is left out"
    assert not drawn("compared", results=(), right=()).dataframe


def test_two_answers_show_the_sources_that_they_share() -> None:
    sources = found("a", "b")
    left = Answer("Yes.", (Span(0, 4, (1,)),), sources)
    app = drawn("answers", left_answer=left, right_answer=Answer("Yes.", (), sources[:1]))
    said = words(app).replace("\\", "")
    assert "Both answers cite 1 passage in common" in said
    assert "100% and 0%" in said
    assert "A (2): number" in app.dataframe[0].value
