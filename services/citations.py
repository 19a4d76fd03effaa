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

from services.locations import Location, location_of, mapping, mappings
from services.runs import Run

JsonDict = dict[str, Any]

RAG_OPERATIONS = ("RetrieveAndGenerate", "RetrieveAndGenerateStream")
SESSION_HEADER = "x-amzn-bedrock-knowledge-base-session-id"
REFUSAL = "Sorry, I am unable to assist you with this request."
"""What the service answers in place of one that it has no ground for."""

_MARK = re.compile(r"\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\]")
_CODE = re.compile(r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)|(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL)
_GOES_ON_AS_CODE = re.compile(r"(?:\[[^\]\n]*\])*(?:\.\w|[ \t]*=|[ \t]+[<>*/%+][ \t])")
"""What follows the index of `a[1] = 5`, `a[1].b`, `a[1] + c`."""


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
    text = str(mapping(response.get("output")).get("text") or "")
    numbers: dict[str, Source] = {}
    spans: dict[tuple[int, int], tuple[int, ...]] = {}
    for citation in mappings(response.get("citations")):
        references = mappings(citation.get("retrievedReferences"))
        cited = [_numbered(numbers, reference).number for reference in references]
        part = mapping(mapping(citation.get("generatedResponsePart")).get("textResponsePart"))
        if place := _place(text, part, list(spans)):
            spans[place] = tuple(dict.fromkeys((*spans.get(place, ()), *cited)))
    return Answer(
        text,
        tuple(Span(start, end, cited) for (start, end), cited in sorted(spans.items())),
        tuple(numbers.values()),
        guardrail_action=str(response.get("guardrailAction") or ""),
    )


def answer_from_marks(text: str, results: Sequence[JsonDict]) -> Answer:
    """The answer of a model that was asked to write [n] behind what it took from result n (from 1).

    The marks leave the text. A mark cites from the end of the mark or sentence before it; a number that no
    result has stays in the text as it is, and so does what is code: `a[1]`. Sources are renumbered in the
    order of their first citation.
    """
    retrieved = results_of(results)
    numbers: dict[str, Source] = {}
    pieces: list[str] = []
    spans: list[Span] = []
    length = searched_to = start = 0
    for mark, wanted in _marks(text, len(results)):
        piece = text[searched_to : mark.start()].rstrip(" ")
        pieces.append(piece)
        length += len(piece)
        searched_to = mark.end()
        said = "".join(pieces)
        begin = _sentence_start(said, start)
        cited = tuple(dict.fromkeys(_numbered(numbers, results[number - 1]).number for number in wanted))
        if said[begin:].strip(" .,;:!?\n"):
            spans.append(Span(begin, begin + len(said[begin:].rstrip()), cited))
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
    headers = mapping(run.metadata.get("HTTPHeaders"))
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
            citations.append({**mapping(data.get("citation")), **flat})
        elif name == "guardrail":
            rest["guardrailAction"] = data.get("action")
        else:
            rest[name] = data
    return {"output": {"text": "".join(texts)}, "citations": citations, **rest}


def _place(text: str, part: Mapping[str, Any], taken: Sequence[tuple[int, int]]) -> tuple[int, int] | None:
    """Where the part stands in the text, without the white space around it; None where it has no place.

    Of several places the free one nearest to the hint, so that a sentence that the answer repeats is cited
    where it was meant. Where all are taken, the citation joins the one that has the same words.
    """
    words = str(part.get("text") or "").split()
    span = mapping(part.get("span"))
    start, end = span.get("start"), span.get("end")
    if words:
        expression = r"\s+".join(map(re.escape, words))
        places = [match.span() for match in re.finditer(expression, text)]
        if places:
            hint = start if isinstance(start, int) else max((end for _, end in taken), default=0)
            free = [place for place in places if not _overlaps(place, taken)]
            return min(
                free or [place for place in places if place in taken],
                key=lambda place: abs(place[0] - hint),
                default=None,
            )
    if not (isinstance(start, int) and isinstance(end, int)):
        return None
    cut = text[max(start, 0) : end + 1]  # words that are not in the text, or none: there is the hint alone
    begin = max(start, 0) + len(cut) - len(cut.lstrip())
    place = (begin, begin + len(cut.strip()))
    return None if not cut.strip() or (place not in taken and _overlaps(place, taken)) else place


def _overlaps(place: tuple[int, int], taken: Sequence[tuple[int, int]]) -> bool:
    return any(place[0] < end and start < place[1] for start, end in taken)


def _marks(text: str, most: int) -> Iterable[tuple[re.Match[str], list[int]]]:
    """The marks in a text with the numbers that they name, from 1 to `most`."""
    code = [match.span() for match in _CODE.finditer(text)]
    for mark in _MARK.finditer(text):
        wanted = [int(number) for number in mark[1].split(",")]
        known = all(1 <= number <= most for number in wanted)
        if known and not _overlaps(mark.span(), code) and not _is_index(text, mark):
            yield mark, wanted


def _is_index(text: str, mark: re.Match[str]) -> bool:
    """Whether brackets outside of a code block are an index or a link all the same."""
    before, following = text[: mark.start()][-1:], text[mark.end() : mark.end() + 1]
    if following == "(" or (following == ":" and before in ("", "\n")):  # a link, or the definition of one
        return True
    attached = before.isalnum() or before in ("_", ")", "]")
    return attached and _GOES_ON_AS_CODE.match(text, mark.end()) is not None


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
    content = mapping(reference.get("content"))
    score = reference.get("score")
    return Source(
        number,
        _text_of(content),
        str(content.get("type") or "TEXT"),
        location_of(reference),
        mapping(reference.get("metadata")),
        float(score) if isinstance(score, int | float) else None,
        reference,
    )


def _text_of(content: Mapping[str, Any]) -> str:
    if row := mappings(content.get("row")):
        return "\n".join(
            f"{column.get('columnName', '?')}: {column.get('columnValue', '')}" for column in row
        )
    audio, video = mapping(content.get("audio")), mapping(content.get("video"))
    return str(content.get("text") or audio.get("transcription") or video.get("summary") or "")
