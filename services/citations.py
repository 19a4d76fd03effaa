"""A cited answer: which stretch of its text rests on which sources (RetrieveAndGenerate and its stream).

In real traffic `span` cannot be trusted: its end is inclusive in RetrieveAndGenerate, exclusive or one off in
the stream, and a start can be one off. So a part is looked for by its own words, with the span as a hint.
Numbers are given in the order in which sources are first cited, and never change while an answer streams.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.locations import Location, location_of
from services.runs import Run

JsonDict = dict[str, Any]

RAG_OPERATIONS = ("RetrieveAndGenerate", "RetrieveAndGenerateStream")
SESSION_HEADER = "x-amzn-bedrock-knowledge-base-session-id"
REFUSAL = "Sorry, I am unable to assist you with this request."
"""What the service answers in place of one that it has no ground for."""

_MARK = re.compile(r"\[(\d{1,2}(?:\s*,\s*\d{1,2})*)\]")


@dataclass(frozen=True)
class Source:
    """A retrieved passage under its number (from 1).

    `text` is "" for what is no text (`content_type` IMAGE, AUDIO, VIDEO without a transcription). `score` is
    None in a generated answer: AWS sends none there. `reference` is AWS's own object, verbatim.
    """

    number: int
    text: str
    content_type: str
    location: Location
    metadata: Mapping[str, Any]
    score: float | None
    reference: JsonDict


@dataclass(frozen=True)
class Span:
    """`text[start:end]` of the answer rests on the sources with these numbers; () for none."""

    start: int
    end: int
    numbers: tuple[int, ...]


@dataclass(frozen=True)
class Answer:
    """An answer with its sources. Spans do not overlap and stand in the order of the text.

    `retrieved` holds what was retrieved but not necessarily cited, where that is known (Retrieve + Converse).
    """

    text: str = ""
    spans: tuple[Span, ...] = ()
    sources: tuple[Source, ...] = ()
    retrieved: tuple[Source, ...] = ()
    guardrail_action: str = ""

    @property
    def coverage(self) -> float:
        """The part of the answer's non-blank characters, 0 to 1, that rests on a source."""
        total = sum(not character.isspace() for character in self.text)
        cited = sum(
            not character.isspace()
            for span in self.spans
            if span.numbers
            for character in self.text[span.start : span.end]
        )
        return cited / total if total else 0.0

    @property
    def refused(self) -> bool:
        """Whether the service says that it cannot answer."""
        return self.text.strip().startswith(REFUSAL.removesuffix("."))


def answer_of(response: Mapping[str, Any]) -> Answer:
    """The answer in a response of RetrieveAndGenerate, whole or folded from the part that has arrived."""
    text = str((response.get("output") or {}).get("text") or "")
    numbers: dict[str, Source] = {}
    spans: list[Span] = []
    searched_to = 0
    for citation in response.get("citations") or []:
        sources = [_numbered(numbers, each) for each in citation.get("retrievedReferences") or []]
        part = (citation.get("generatedResponsePart") or {}).get("textResponsePart") or {}
        place = _place(text, part, searched_to)
        if place:
            searched_to = place[1]
            spans.append(Span(*place, tuple(dict.fromkeys(source.number for source in sources))))
    return Answer(
        text,
        tuple(spans),
        tuple(numbers.values()),
        guardrail_action=str(response.get("guardrailAction") or ""),
    )


def answer_from_marks(text: str, results: Sequence[JsonDict]) -> Answer:
    """The answer of a model that was asked to write [n] behind what it took from result n (from 1).

    The marks leave the text. A mark cites from the end of the mark or sentence before it; a number that no
    result has stays in the text as it is. Sources are renumbered in the order of their first citation.
    """
    retrieved = results_of(results)
    numbers: dict[str, Source] = {}
    pieces: list[str] = []
    spans: list[Span] = []
    length = searched_to = start = 0
    for mark in _MARK.finditer(text):
        wanted = [int(number) for number in mark[1].split(",")]
        if not all(1 <= number <= len(results) for number in wanted):
            continue
        piece = text[searched_to : mark.start()].rstrip(" ")
        pieces.append(piece)
        length += len(piece)
        searched_to = mark.end()
        said = "".join(pieces)
        begin = _sentence_start(said, start)
        cited = tuple(dict.fromkeys(_numbered(numbers, results[number - 1]).number for number in wanted))
        if said[begin:].strip(" .,;:!?\n"):
            spans.append(Span(begin, length, cited))
        elif spans:  # one mark behind another: both cite the same words
            last = spans.pop()
            spans.append(Span(last.start, last.end, tuple(dict.fromkeys((*last.numbers, *cited)))))
        start = length
    pieces.append(text[searched_to:])
    return Answer("".join(pieces), tuple(spans), tuple(numbers.values()), retrieved)


def results_of(results: Iterable[JsonDict]) -> tuple[Source, ...]:
    """The results of Retrieve as sources, numbered by rank."""
    return tuple(_source(rank, result) for rank, result in enumerate(results, 1))


def session_of(run: Run) -> str | None:
    """The session that a run of RetrieveAndGenerate belongs to, to be continued by the next question."""
    headers = run.metadata.get("HTTPHeaders") or {}
    found = (run.response or {}).get("sessionId") or headers.get(SESSION_HEADER)
    return str(found) if found else None


def fold_rag(events: Iterable[tuple[str, JsonDict]]) -> JsonDict:
    """RetrieveAndGenerate's response from (name, payload) pairs of its stream.

    AWS sends each citation twice in one event, as `citation` and flat; it counts once.
    """
    texts: list[str] = []
    citations: list[JsonDict] = []
    rest: JsonDict = {}
    for name, data in events:
        if name == "output":
            texts.append(str(data.get("text") or ""))
        elif name == "citation":
            flat = {key: value for key, value in data.items() if key != "citation"}
            citations.append(flat or data.get("citation") or {})
        elif name == "guardrail":
            rest["guardrailAction"] = data.get("action")
        else:
            rest[name] = data
    return {"output": {"text": "".join(texts)}, "citations": citations, **rest}


def _place(text: str, part: Mapping[str, Any], searched_to: int) -> tuple[int, int] | None:
    """Where the part stands in the text, without the white space around it; None where it has no words."""
    words = str(part.get("text") or "").strip()
    span = part.get("span") or {}
    hint = span.get("start")
    if words:
        start = text.find(words, searched_to)
        if start < 0 and isinstance(hint, int):
            start = text.find(words, max(hint - len(words), 0))
        return (start, start + len(words)) if start >= searched_to else None
    end = span.get("end")
    if not (isinstance(hint, int) and isinstance(end, int)):
        return None
    start, end = max(hint, searched_to), min(end + 1, len(text))
    return (start, end) if start < end else None


def _sentence_start(said: str, after: int) -> int:
    """Where the words begin that a mark at the end of `said` cites: its last sentence after `after`."""
    body = said[after:].rstrip()
    boundary = 0
    for match in re.finditer(r"[.!?]\s+|\n+", body):
        if body[match.end() :].strip():
            boundary = match.end()
    begin = after + boundary
    return begin + len(said[begin:]) - len(said[begin:].lstrip())


def _numbered(numbers: dict[str, Source], reference: JsonDict) -> Source:
    """The source of a reference under the number that it was first given."""
    key = json.dumps([reference.get("content"), reference.get("location")], sort_keys=True, default=str)
    if key not in numbers:
        numbers[key] = _source(len(numbers) + 1, reference)
    return numbers[key]


def _source(number: int, reference: JsonDict) -> Source:
    content = reference.get("content") or {}
    score = reference.get("score")
    return Source(
        number,
        _text_of(content),
        str(content.get("type") or "TEXT"),
        location_of(reference),
        reference.get("metadata") or {},
        float(score) if isinstance(score, int | float) else None,
        reference,
    )


def _text_of(content: Mapping[str, Any]) -> str:
    if content.get("row"):
        return "\n".join(
            f"{column.get('columnName', '?')}: {column.get('columnValue', '')}" for column in content["row"]
        )
    audio, video = content.get("audio") or {}, content.get("video") or {}
    return str(content.get("text") or audio.get("transcription") or video.get("summary") or "")
