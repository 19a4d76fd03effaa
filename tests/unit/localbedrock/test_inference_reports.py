"""Every inference is reported exactly once: finished, cut off, failed or abandoned."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Generator, Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from localbedrock.context import Context, Inference
from localbedrock.control import prompts
from localbedrock.embeddings import Embedder
from localbedrock.errors import AwsError, model_stream_error
from localbedrock.runtime import HANDLERS
from localbedrock.store import Store
from localbedrock.text.engine import ChatRequest, Event, Finish, Generation, Tally, TextDelta

LOCAL = "local.smollm2-135m-instruct-v1:0"
CONVERSE = {"modelId": LOCAL, "messages": [{"role": "user", "content": [{"text": "Hi"}]}]}
INVOKE = {"modelId": LOCAL, "body": b'{"messages": [{"role": "user", "content": "Hi"}]}'}
PARAMS: dict[str, dict[str, Any]] = {
    "Converse": CONVERSE,
    "ConverseStream": CONVERSE,
    "InvokeModel": INVOKE,
    "InvokeModelWithResponseStream": INVOKE,
}
STREAMS = {"ConverseStream": "stream", "InvokeModelWithResponseStream": "body"}


class ScriptedEngine:
    """Says three words, then ends; or fails after the second."""

    def __init__(self, *, fails: bool = False) -> None:
        self.closed = False
        self._fails = fails

    def generate(self, _request: ChatRequest, _cancelled: threading.Event) -> Generation:
        tally = Tally()
        return Generation(4, self._events(tally), tally)

    def count_tokens(self, _request: ChatRequest) -> int:
        return 4

    def close(self) -> None:
        """Nothing is held."""

    def _events(self, tally: Tally) -> Generator[Event, None, None]:
        try:
            for word in ("one ", "two ", "three"):
                tally.output_tokens += 1
                yield TextDelta(word)
                if self._fails and tally.output_tokens == 2:
                    raise model_stream_error("boom")
            yield Finish("end_turn", 4, 3)
        finally:
            self.closed = True


MakeContext = Callable[[ScriptedEngine, list[Inference]], Context]


@pytest.fixture
def context() -> Iterator[MakeContext]:
    store = Store(":memory:")

    def make(engine: ScriptedEngine, reports: list[Inference]) -> Context:
        made = SimpleNamespace(
            region="us-east-1",
            account_id="1" * 12,
            store=store,
            models=SimpleNamespace(llama=engine, openai=None, embedder=Embedder()),
            cancelled=threading.Event(),
            report=reports.append,
        )
        return cast(Context, made)

    yield make
    store.close()


def _call(operation: str, ctx: Context, params: dict[str, Any] | None = None) -> Any:
    return HANDLERS["bedrock-runtime", operation](ctx, params or PARAMS[operation])


@pytest.mark.parametrize("operation", PARAMS)
def test_a_finished_one(context: MakeContext, operation: str) -> None:
    reports: list[Inference] = []
    output = _call(operation, context(ScriptedEngine(), reports))
    if operation in STREAMS:
        list(output[STREAMS[operation]])
    (report,) = reports
    assert (report.operation, report.model_id) == (operation, LOCAL)
    assert (report.input_tokens, report.output_tokens, report.error) == (4, 3, None)
    assert report.first_token_ms is not None
    assert 0 <= report.first_token_ms <= report.latency_ms
    assert "one two three" in json.dumps(report.response) or operation == "InvokeModelWithResponseStream"


@pytest.mark.parametrize("operation", STREAMS)
def test_an_abandoned_one(context: MakeContext, operation: str) -> None:
    """The client went away after the first words: what was decoded by then is reported, and no error."""
    engine, reports = ScriptedEngine(), list[Inference]()
    events = _call(operation, context(engine, reports))[STREAMS[operation]]
    while "two" not in str(next(events)):
        assert not reports
    events.close()
    (report,) = reports
    assert (report.output_tokens, report.error) == (2, None)
    assert engine.closed, "the engine goes on decoding"


@pytest.mark.parametrize("operation", PARAMS)
def test_a_failed_one(context: MakeContext, operation: str) -> None:
    reports: list[Inference] = []
    with pytest.raises(AwsError, match="boom"):
        list(_call(operation, context(ScriptedEngine(fails=True), reports))[STREAMS.get(operation, "")])
    (report,) = reports
    assert report.error is not None
    assert report.error.code == "ModelStreamErrorException"
    assert report.output_tokens == 2


def test_embeddings_are_reported_too(context: MakeContext) -> None:
    reports: list[Inference] = []
    params = {"modelId": "amazon.titan-embed-text-v2:0", "body": b'{"inputText": "Hi there"}'}
    _call("InvokeModel", context(ScriptedEngine(), reports), params)
    assert (reports[0].input_tokens, reports[0].output_tokens) == (2, 0)


def test_a_profiles_arn_is_reported_by_the_profiles_id(context: MakeContext) -> None:
    reports: list[Inference] = []
    profile = "us.anthropic.claude-3-haiku-20240307-v1:0"
    arn = f"arn:aws:bedrock:us-east-1:{'1' * 12}:inference-profile/{profile}"
    _call("Converse", context(ScriptedEngine(), reports), CONVERSE | {"modelId": arn})
    assert reports[0].model_id == profile


def test_counting_tokens_is_no_inference(context: MakeContext) -> None:
    reports: list[Inference] = []
    params = {"modelId": LOCAL, "input": {"converse": {"messages": CONVERSE["messages"]}}}
    assert _call("CountTokens", context(ScriptedEngine(), reports), params) == {"inputTokens": 4}
    assert reports == []


@pytest.mark.parametrize("operation", ["Converse", "ConverseStream"])
def test_a_managed_prompt_is_reported_as_its_model_with_what_was_sent(
    context: MakeContext, operation: str
) -> None:
    reports: list[Inference] = []
    ctx = context(ScriptedEngine(), reports)
    template = {"text": "Hi {{x}}", "inputVariables": [{"name": "x"}]}
    variant = {
        "name": "v",
        "templateType": "TEXT",
        "templateConfiguration": {"text": template},
        "modelId": LOCAL,
    }
    arn = prompts.create_prompt(ctx, {"name": f"for-{operation}", "variants": [variant]})["arn"]
    params: dict[str, Any] = {"modelId": arn, "promptVariables": {"x": {"text": "you"}}}
    output = _call(operation, ctx, params)
    if operation in STREAMS:
        list(output[STREAMS[operation]])
    (report,) = reports
    assert report.model_id == LOCAL
    assert report.request == {"messages": [{"role": "user", "content": [{"text": "Hi you"}]}]}
    params = {"modelId": arn}
    with pytest.raises(AwsError, match="x"):
        _call(operation, ctx, params)
    assert params["modelId"] == LOCAL, "the failure would be counted for the prompt"
