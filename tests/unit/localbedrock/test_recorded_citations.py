"""Citations recorded on AWS: ours have their members, their spans and their place in the stream."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from localbedrock.knowledge.cited_answer import Part, citation, citation_event
from tests.recorded import decoder_of

pytestmark = [
    pytest.mark.recordings,
    # The recordings' own reader leaves its files to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def recorded(recordings: Path, name: str) -> Any:
    """What botocore makes of a recorded answer."""
    decoder = decoder_of(recordings)
    (interaction,) = decoder.interactions(str(recordings / "openinference" / f"{name}.yaml"))
    return decoder.decode(interaction)


def ours(theirs: dict[str, Any], text: str, *, streamed: bool) -> dict[str, Any]:
    """The citation that we would send for their part of the answer."""
    part = theirs["generatedResponsePart"]["textResponsePart"]
    references = theirs["retrievedReferences"]
    made = Part(text.index(part["text"]), part["text"], tuple(range(len(references))))
    scored = [reference | {"score": 0.5} for reference in references]
    if streamed:
        event: dict[str, Any] = citation_event(made, scored)["citation"]
        return event
    return citation(made, scored, inclusive=True)


def test_the_citations_of_a_whole_answer(recordings: Path) -> None:
    answer = recorded(recordings, "test_retrieve_and_generate_with_knowledge_base").parsed
    assert answer["citations"]
    for theirs in answer["citations"]:
        assert ours(theirs, answer["output"]["text"], streamed=False) == theirs


def test_the_citations_of_a_stream(recordings: Path) -> None:
    """Each comes when its part has been sent, flat and as `citation`."""
    events = recorded(recordings, "test_retrieve_and_generate_stream").events
    text = "".join(event["output"]["text"] for event in events if "output" in event)
    citations = [event["citation"] for event in events if "citation" in event]
    assert citations
    for theirs in citations:
        assert ours(theirs, text, streamed=True) == theirs
