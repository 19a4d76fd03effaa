"""The citations of an answer as it grows, in AWS's shape.

In recorded answers of RetrieveAndGenerate ``span.end`` is the last character (0 to 209 for a part of 210
characters), in those of its stream the one behind it (0 to 401 for 401 characters): so it is here. The text
of a part is the answer's own, from its first word to its last. In the stream a citation follows its
part: both as ``citation`` and with its members flat, as AWS sends it.

A sentence that rests on nothing is in no citation: the API's reference says that citations are the segments
that are based on a source.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from localbedrock.knowledge.attribution import Attribution
from localbedrock.knowledge.sentences import Sentence, SentenceReader


@dataclass(frozen=True)
class Part:
    """``text`` stands at ``start`` of the answer and rests on these passages."""

    start: int
    text: str
    passages: tuple[int, ...]


class CitedAnswer:
    """Finds the parts of an answer: neighbouring sentences of a paragraph that rest on the same passages."""

    def __init__(self, attribution: Attribution) -> None:
        self.text = ""
        self._attribution = attribution
        self._reader = SentenceReader()
        self._open: Part | None = None

    def feed(self, piece: str) -> list[Part]:
        """The parts that are known to have ended with this piece."""
        self.text += piece
        return self._take(self._reader.feed(piece))

    def flush(self) -> list[Part]:
        """The rest, at the answer's end."""
        ended = self._take(self._reader.flush())
        last, self._open = self._open, None
        return [*ended, last] if last else ended

    def _take(self, sentences: Sequence[Sentence]) -> list[Part]:
        ended = []
        for sentence in sentences:
            passages = self._attribution.grounds(sentence.text)
            part = self._open
            if part and part.passages == passages and not sentence.paragraph:
                self._open = Part(part.start, self.text[part.start : sentence.end], passages)
                continue
            if part:
                ended.append(part)
            self._open = Part(sentence.start, sentence.text, passages) if passages else None
        return ended


def citation(part: Part, results: Sequence[dict[str, Any]], *, inclusive: bool) -> dict[str, Any]:
    """AWS's Citation. ``results`` are the passages as they were retrieved; a reference has no score."""
    end = part.start + len(part.text) - (1 if inclusive else 0)
    return {
        "generatedResponsePart": {
            "textResponsePart": {"text": part.text, "span": {"start": part.start, "end": end}}
        },
        "retrievedReferences": [_reference(results[place]) for place in part.passages],
    }


def citation_event(part: Part, results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The stream's event."""
    cited = citation(part, results, inclusive=False)
    return {"citation": {"citation": cited, **cited}}


def _reference(result: dict[str, Any]) -> dict[str, Any]:
    return {name: result[name] for name in ("content", "location", "metadata") if name in result}
