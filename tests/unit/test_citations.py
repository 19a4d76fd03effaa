"""Which characters of an answer rest on which sources, whatever the span says."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from services.citations import (
    Answer,
    answer_from_marks,
    answer_of,
    fold_rag,
    results_of,
    session_of,
)
from services.clients import Identity
from services.runs import Call, Run
from tests.unit.rag import citation, reference, response


def cited(answer: Answer) -> list[tuple[str, tuple[int, ...]]]:
    return [(answer.text[span.start : span.end], span.numbers) for span in answer.spans]


A, B, C = (reference(letter * 3, f"s3://b/{letter}.md") for letter in "ABC")


@pytest.mark.parametrize("end", [8, 9, 10, 7], ids=["inclusive", "exclusive", "one more", "one less"])
@pytest.mark.parametrize("start", [-1, 0, 1])
def test_the_words_of_a_part_beat_its_span(start: int, end: int) -> None:
    """AWS's end is inclusive in one operation, exclusive in the other, and a start can be one off."""
    text = "It rains. It pours."
    answer = answer_of(response(text, citation("It rains.", start, end, A), citation("It pours.", 10, 19, B)))
    assert cited(answer) == [("It rains.", (1,)), ("It pours.", (2,))]


def test_white_space_around_and_within_a_part_may_differ_from_the_output() -> None:
    text = "\nIt rains\nall day. It  pours.\n"
    parts = (citation("\nIt rains all day.", 0, 18, A), citation(" It pours.\n", 19, 29, B))
    assert cited(answer_of(response(text, *parts))) == [("It rains\nall day.", (1,)), ("It  pours.", (2,))]


def test_a_repeated_sentence_is_cited_where_the_span_points() -> None:
    text = "Yes. No. Yes."
    assert answer_of(response(text, citation("Yes.", 9, 12, A))).spans[0].start == 9
    both = answer_of(response(text, citation("Yes.", 9, 12, A), citation("Yes.", 0, 3, B)))
    assert [(span.start, span.numbers) for span in both.spans] == [(0, (2,)), (9, (1,))]


def test_two_citations_of_the_same_words_are_one_span() -> None:
    answer = answer_of(response("Yes.", citation("Yes.", 0, 3, A), citation("Yes.", 0, 3, B, A)))
    assert cited(answer) == [("Yes.", (1, 2))]


def test_emoji_before_the_part_do_not_move_its_marker() -> None:
    """A service that counts UTF-16 units is two ahead after two emoji."""
    text = "🌧️😀 It rains. It rains."
    answer = answer_of(response(text, citation("It rains.", 4, 13, A), citation("It rains.", 15, 24, B)))
    assert cited(answer) == [("It rains.", (1,)), ("It rains.", (2,))]
    assert [span.start for span in answer.spans] == [text.index("It"), text.rindex("It")]


def test_words_that_are_not_in_the_output_fall_back_to_the_span() -> None:
    """A guardrail may have masked the output after the citation was made."""
    answer = answer_of(response("Call {NAME} now. Bye.", citation("Call Jane now.", 0, 15, A)))
    assert cited(answer) == [("Call {NAME} now.", (1,))]
    assert answer_of(response("Hi.", citation("Other words", 50, 60, A))).spans == ()
    assert cited(answer_of(response("It rains. No.", citation("", 0, 8, A)))) == [("It rains.", (1,))]


def test_sources_are_numbered_once_in_the_order_of_their_citation() -> None:
    text = "One. Two. Three."
    answer = answer_of(
        response(
            text,
            citation("One.", 0, 3, B, B),
            citation("Two.", 5, 8, A, B),
            citation("Three.", 10, 15, B, C),
        )
    )
    assert [numbers for _, numbers in cited(answer)] == [(1,), (2, 1), (1, 3)]
    assert [source.location.title for source in answer.sources] == ["B.md", "A.md", "C.md"]
    assert [source.number for source in answer.sources] == [1, 2, 3]
    assert answer.coverage == 1.0


def test_citations_without_references_and_references_without_words() -> None:
    text = "I do not know. It rains."
    answer = answer_of(response(text, citation("I do not know.", 0, 13), {"retrievedReferences": [A]}))
    assert cited(answer) == [("I do not know.", ())]
    assert len(answer.sources) == 1
    assert answer.coverage == 0.0


def test_a_reference_without_location_or_content_is_a_source_all_the_same() -> None:
    answer = answer_of(response("Yes.", citation("Yes.", 0, 3, {}, {"content": {"text": "t"}})))
    assert [(source.text, source.location.kind) for source in answer.sources] == [
        ("", "Unknown"),
        ("t", "Unknown"),
    ]


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"output": None, "citations": None},
        {"output": "x", "citations": "y"},
        {"output": {"text": 5}, "citations": [None, 5, {"retrievedReferences": 5}]},
        {"citations": [{"generatedResponsePart": {"textResponsePart": {"text": "x", "span": 3}}}]},
        {"citations": [{"retrievedReferences": [{"content": [], "location": "s3", "metadata": 4}]}]},
    ],
)
def test_what_is_no_answer_of_aws_is_an_empty_one(answer: dict[str, Any]) -> None:
    """An imported run may hold anything."""
    assert answer_of(answer).spans == ()


def test_an_answer_cut_off_in_the_middle_keeps_its_numbers() -> None:
    events = [
        ("output", {"text": "It rains."}),
        ("citation", citation("It rains.", 0, 8, B)),
        ("output", {"text": " It pours."}),
        ("citation", citation("It pours.", 10, 18, A)),
        ("output", {"text": " It po"}),
    ]
    seen = [answer_of(fold_rag(events[:count])) for count in range(len(events) + 1)]
    assert [len(answer.spans) for answer in seen] == [0, 0, 1, 1, 2, 2]
    for before, after in pairwise(seen):
        assert after.text.startswith(before.text)
        assert after.sources[: len(before.sources)] == before.sources
        assert after.spans[: len(before.spans)] == before.spans
    assert seen[-1].coverage < 1


def test_a_citation_sent_twice_in_one_event_counts_once() -> None:
    flat = citation("It rains.", 0, 8, A)
    for event in ({"citation": flat, **flat}, flat, {"citation": flat}):
        folded = fold_rag([("output", {"text": "It rains."}), ("citation", event)])
        assert folded["citations"] == [flat]
    half = {"citation": flat, "retrievedReferences": [A]}
    assert cited(answer_of(fold_rag([("output", {"text": "It rains."}), ("citation", half)])))


def test_a_guardrail_and_a_refusal_are_said() -> None:
    folded = fold_rag([("guardrail", {"action": "INTERVENED"}), ("output", {"text": "No."})])
    assert answer_of(folded).guardrail_action == "INTERVENED"
    assert answer_of(response("Sorry, I am unable to assist you with this request.")).refused
    assert not answer_of(response("It rains.")).refused


@pytest.mark.parametrize(
    ("text", "clean", "spans"),
    [
        ("It rains [1]. It pours [2].", "It rains. It pours.", [("It rains", (1,)), ("It pours", (2,))]),
        ("It rains.[2]", "It rains.", [("It rains.", (1,))]),
        ("It rains [1][2].", "It rains.", [("It rains", (1, 2))]),
        ("It rains [1, 2].", "It rains.", [("It rains", (1, 2))]),
        ("It rains [2,1] today.", "It rains today.", [("It rains", (1, 2))]),
        ("It rains [9].", "It rains [9].", []),
        ("It rains [1, 9].", "It rains [1, 9].", []),
        ("It rains [0].", "It rains [0].", []),
        ("Dry. It rains.\n[1]", "Dry. It rains.\n", [("It rains.", (1,))]),
        ("**It rains[1]**", "**It rains**", [("**It rains", (1,))]),
        (
            "- It rains[1]\n- It pours[2]",
            "- It rains\n- It pours",
            [("- It rains", (1,)), ("- It pours", (2,))],
        ),
        ("[1]", "", []),
        ("", "", []),
        ("🌧️ It rains [2].", "🌧️ It rains.", [("🌧️ It rains", (1,))]),
    ],
)
def test_marks_become_spans(text: str, clean: str, spans: list[Any]) -> None:
    answer = answer_from_marks(text, [A, B])
    assert answer.text == clean
    assert cited(answer) == spans
    assert [source.number for source in answer.retrieved] == [1, 2]


@pytest.mark.parametrize(
    "code",
    [
        "`a[1]`",
        "``a[1] ` b[2]``",
        "```python\nx = a[1]\n```",
        "```\na[1]",
        "~~~\na[1]\n~~~",
        "a[1] = 5",
        "a[1].name",
        "rows[1][2] = 5",
        "a[1] + b",
        "[1](https://example.com)",
        "[1]: https://example.com",
    ],
)
def test_code_and_links_are_no_marks(code: str) -> None:
    answer = answer_from_marks(f"It rains [2].\n{code}", [A, B])
    assert answer.text.endswith(code)
    assert cited(answer)[0] == ("It rains", (1,))


def test_a_mark_between_two_words_leaves_one_space() -> None:
    assert answer_from_marks("It rains [1] and pours [2] here", [A, B]).text == "It rains and pours here"


def test_results_are_numbered_by_rank_with_their_scores() -> None:
    first, second = results_of([{**A, "score": 0.5}, {**B, "score": None}])
    assert (first.number, first.score, second.number, second.score) == (1, 0.5, 2, None)
    assert first.reference["score"] == 0.5


@pytest.mark.parametrize(
    ("content", "text", "kind"),
    [
        ({"type": "IMAGE", "byteContent": "data:image/png;base64,AA"}, "", "IMAGE"),
        ({"type": "AUDIO", "audio": {"s3Uri": "s3://b/a.mp3", "transcription": "Hi"}}, "Hi", "AUDIO"),
        ({"type": "VIDEO", "video": {"s3Uri": "s3://b/a.mp4", "summary": "A film"}}, "A film", "VIDEO"),
        (
            {"type": "ROW", "row": [{"columnName": "id", "columnValue": "7"}, {"columnName": "n"}]},
            "id: 7\nn: ",
            "ROW",
        ),
        ({"text": "plain"}, "plain", "TEXT"),
    ],
)
def test_every_kind_of_content_is_a_source(content: dict[str, Any], text: str, kind: str) -> None:
    (source,) = results_of([{"content": content}])
    assert (source.text, source.content_type) == (text, kind)


def test_the_session_is_in_the_answer_or_in_the_head_of_the_stream() -> None:
    def run(**values: Any) -> Run:
        call = Call(
            operation="RetrieveAndGenerate", request={}, identity=Identity("local", None, "us-east-1")
        )
        return Run(
            id="r",
            call=call,
            started_at=datetime(2026, 1, 1, tzinfo=UTC),
            state="done",
            latency_ms=1,
            **values,
        )

    assert session_of(run(response={"sessionId": "s-1"})) == "s-1"
    header = {"HTTPHeaders": {"x-amzn-bedrock-knowledge-base-session-id": "s-2"}}
    assert session_of(run(response={"output": {}}, metadata=header)) == "s-2"
    assert session_of(run()) is None
