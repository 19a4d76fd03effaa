"""Recorded answers of knowledge bases, through the real clients, to markers at the right characters."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from services.citations import Answer, answer_of, fold_rag, results_of
from services.clients import Identity
from services.replies import read
from services.runs import Call, Run, from_json, to_json
from services.runtime import call_unstored
from services.streaming import ReplyStream
from tests.recorded import decoder_of
from tests.scripted_server import Exchange, ScriptedServer

pytestmark = pytest.mark.recordings

REQUESTS: dict[str, dict[str, Any]] = {
    "Retrieve": {"knowledgeBaseId": "KB12345678", "retrievalQuery": {"text": "Why?"}},
    "RetrieveAndGenerate": {"input": {"text": "Why?"}},
    "RetrieveAndGenerateStream": {"input": {"text": "Why?"}},
}


@dataclass(frozen=True)
class Recorded:
    """The recorded bytes of one answer, and what botocore makes of them."""

    operation: str
    body: bytes
    parsed: dict[str, Any]

    def serve(self, exchange: Exchange) -> None:
        if not self.operation.endswith("Stream"):
            exchange.answer(self.body)
            return
        exchange.start_stream({"x-amzn-bedrock-knowledge-base-session-id": "session-1"})
        for at in range(0, len(self.body), 700):
            exchange.send(self.body[at : at + 700])
        exchange.end()


@pytest.fixture(scope="module")
def recorded(recordings: Path) -> dict[str, Recorded]:
    decode = decoder_of(recordings)
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the reader leaves files to the garbage collector
        for path in sorted((recordings / "openinference").glob("test_retrieve*.yaml")):
            for interaction in decode.interactions(str(path)):
                decoded = decode.decode(interaction)
                pairs = [(name, data) for event in decoded.events or [] for name, data in event.items()]
                parsed = fold_rag(pairs) if pairs else decoded.parsed
                found[decoded.operation] = Recorded(decoded.operation, interaction.body, parsed)
    return found


@pytest.fixture
def knowledge_server(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> ScriptedServer:
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_AGENT_RUNTIME", server.url)
    return server


def make_call(operation: str, identity: Identity) -> Call:
    return Call(
        operation=operation,
        request=REQUESTS[operation],
        identity=identity,
        service="bedrock-agent-runtime",
        kind="knowledge_base",
    )


def cited(answer: Answer) -> list[str]:
    return [answer.text[span.start : span.end] for span in answer.spans]


def run_of(recorded: Recorded, server: ScriptedServer, identity: Identity) -> Run:
    server.play(recorded.serve)
    call = make_call(recorded.operation, identity)
    if not recorded.operation.endswith("Stream"):
        return call_unstored(call)
    stream = ReplyStream(call)
    assert stream.wait(20)
    return stream.run()


@pytest.mark.parametrize("operation", ["RetrieveAndGenerate", "RetrieveAndGenerateStream"])
def test_every_part_is_marked_from_its_first_to_its_last_word(
    recorded: dict[str, Recorded], knowledge_server: ScriptedServer, identity: Identity, operation: str
) -> None:
    recording = recorded[operation]
    run = run_of(recording, knowledge_server, identity)
    assert run.problem is None
    answer = answer_of(run.response or {})
    assert answer.text == recording.parsed["output"]["text"] == read(operation, run.response or {}).text
    parts = [
        citation["generatedResponsePart"]["textResponsePart"]["text"]
        for citation in recording.parsed["citations"]
    ]
    assert cited(answer) == [part.strip() for part in parts]
    assert answer.coverage == 1.0
    uris = {source.location.title for source in answer.sources}
    assert uris == {"VLDBJ96.pdf" if operation.endswith("Stream") else "2222"}
    assert [source.number for source in answer.sources] == list(range(1, len(answer.sources) + 1))
    first_cited = dict.fromkeys(number for span in answer.spans for number in span.numbers)
    assert list(first_cited) == sorted(first_cited), "numbers follow the text"
    assert from_json(to_json(run)) == run


def test_the_spans_of_the_service_alone_would_be_wrong(recorded: dict[str, Recorded]) -> None:
    """The reason for looking the words up: ends are inclusive in one operation and not in the other."""
    ends = {}
    for operation in ("RetrieveAndGenerate", "RetrieveAndGenerateStream"):
        parsed = recorded[operation].parsed
        part = parsed["citations"][0]["generatedResponsePart"]["textResponsePart"]
        ends[operation] = part["span"]["end"] - (part["span"]["start"] + len(part["text"]))
    assert ends == {"RetrieveAndGenerate": -1, "RetrieveAndGenerateStream": 0}


def test_markers_never_move_or_change_their_number_while_the_answer_streams(
    recorded: dict[str, Recorded], knowledge_server: ScriptedServer, identity: Identity
) -> None:
    run = run_of(recorded["RetrieveAndGenerateStream"], knowledge_server, identity)
    events = [(event.name, event.data) for event in run.events]
    before = Answer()
    for count in range(len(events) + 1):
        answer = answer_of(fold_rag(events[:count]))
        assert answer.text.startswith(before.text)
        assert answer.spans[: len(before.spans)] == before.spans
        assert answer.sources[: len(before.sources)] == before.sources
        before = answer
    assert len(before.spans) == 3


def test_a_stream_that_is_cut_keeps_what_had_arrived(
    recorded: dict[str, Recorded], knowledge_server: ScriptedServer, identity: Identity
) -> None:
    recording = recorded["RetrieveAndGenerateStream"]

    def half(exchange: Exchange) -> None:
        exchange.start_stream()
        exchange.send(recording.body[: len(recording.body) // 2])
        exchange.cut()

    knowledge_server.play(half)
    stream = ReplyStream(make_call(recording.operation, identity))
    assert stream.wait(20)
    run = stream.run()
    assert run.state == "failed"
    assert run.problem
    answer = answer_of(run.response or {})
    assert answer.text
    assert recording.parsed["output"]["text"].startswith(answer.text)
    assert cited(answer)


def test_results_of_retrieve_have_their_scores_and_metadata(
    recorded: dict[str, Recorded], knowledge_server: ScriptedServer, identity: Identity
) -> None:
    run = run_of(recorded["Retrieve"], knowledge_server, identity)
    results = results_of((run.response or {})["retrievalResults"])
    assert [source.number for source in results] == [1, 2, 3, 4, 5]
    scores = [source.score for source in results if source.score is not None]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == 5
    assert {source.location.kind for source in results} == {"Custom"}
    assert all(source.metadata["x-amz-bedrock-kb-data-source-id"] for source in results)
    assert all(source.text for source in results)
