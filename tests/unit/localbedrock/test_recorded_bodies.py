"""Bodies recorded on AWS: we take each request that AWS took, and answer with each key that it sent."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import pytest

from localbedrock.catalogue import INFERENCE_PROFILES, FoundationModel, foundation_models
from localbedrock.errors import AwsError
from localbedrock.runtime.converse_request import parse
from localbedrock.runtime.families import chat_family, nova
from localbedrock.text.engine import Event, Finish, TextDelta, ToolDelta, ToolStart, fold
from localbedrock.text.host import ModelHost

pytestmark = [
    pytest.mark.recordings,
    # The recordings' own reader leaves its files to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

FOLDERS = ("opentelemetry", "openllmetry", "openinference", "pydantic-ai")
NOT_HERE = ("content block that you provided", "s3Uri", "Input tag", "thinking", "guardrail", "system tool")
"""Words of the refusals that are right for a local model: pictures, thinking, guardrails."""
NOT_OURS = {"amazon-bedrock-trace", "amazon-bedrock-guardrailAction", "usage", "stop_details", "container"}


@pytest.fixture(scope="module")
def decoder(recordings: Path) -> ModuleType:
    """The recordings' own reader."""
    spec = importlib.util.spec_from_file_location("recordings_decode", recordings / "decode.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _models() -> dict[str, FoundationModel]:
    host = cast(ModelHost, SimpleNamespace(openai=None))
    models = {model.model_id: model for model in foundation_models(host)}
    return models | {profile.profile_id: models[profile.model_id] for profile in INFERENCE_PROFILES}


def _recorded(decoder: ModuleType, recordings: Path) -> Iterator[tuple[FoundationModel, Any, Any]]:
    """Model, interaction and what botocore makes of it, of all that AWS answered with 200."""
    models = _models()
    for folder in FOLDERS:
        for path in sorted((recordings / folder).glob("*.yaml")):
            for interaction in decoder.interactions(str(path)):
                decoded = decoder.decode(interaction)
                if decoded.service == "bedrock-runtime" and decoded.status == 200 and decoded.model in models:
                    yield models[decoded.model], interaction, decoded


def _refusal(read: Callable[[], Any]) -> str:
    """The words with which a request is refused; "" if it is taken."""
    try:
        read()
    except AwsError as error:
        return error.message
    return ""


def _is_right(refusal: str) -> bool:
    return any(word in refusal for word in NOT_HERE)


def test_converse_requests(decoder: ModuleType, recordings: Path) -> None:
    refusals = [
        _refusal(partial(parse, model, nova._decoded(json.loads(interaction.request))))
        for model, interaction, decoded in _recorded(decoder, recordings)
        if decoded.operation in {"Converse", "ConverseStream"}
    ]
    assert [refusal for refusal in refusals if refusal and not _is_right(refusal)] == []
    assert refusals.count("") > 40


def test_invoke_model_bodies_both_ways(decoder: ModuleType, recordings: Path) -> None:
    seen = set()
    for model, interaction, decoded in _recorded(decoder, recordings):
        family = chat_family(model)
        if family is None or decoded.operation != "InvokeModel":
            continue
        body = json.loads(interaction.request)
        refusal = _refusal(partial(family.read, model, body))
        assert not refusal or _is_right(refusal), refusal
        if not refusal:
            answer = family.answer(model, body, fold(_events(decoded.parsed["body"])))
            missing = decoded.parsed["body"].keys() - answer.keys() - NOT_OURS
            assert not missing, f"{model.model_id} lacks {missing}"
            seen.add(model.family)
    assert {"claude", "nova", "titan", "llama", "mistral", "command", "command_r"} <= seen


def test_stream_chunks(decoder: ModuleType, recordings: Path) -> None:
    """Kinds of chunks and the keys in them are those that AWS sent."""
    seen = set()
    for model, interaction, decoded in _recorded(decoder, recordings):
        family = chat_family(model)
        if family is None or decoded.operation != "InvokeModelWithResponseStream" or not interaction.request:
            continue
        recorded = [json.loads(event["chunk"]["bytes"]) for event in decoded.events if "chunk" in event]
        body = json.loads(interaction.request)
        ours = list(family.stream(model, body, 5, iter(_events(json.dumps(recorded)))))
        for kind in {_kind(chunk) for chunk in recorded} - {"ping"}:
            theirs = next(chunk for chunk in recorded if _kind(chunk) == kind)
            same = [chunk for chunk in ours if _kind(chunk) == kind]
            assert same, f"{model.model_id} never sends {kind}"
            ignored = NOT_OURS | {"amazon-bedrock-invocationMetrics"}
            assert any(theirs.keys() - chunk.keys() <= ignored for chunk in same), (model.model_id, kind)
        seen.add(model.family)
    assert {"claude", "nova", "titan"} <= seen


def _events(recorded: object) -> list[Event]:
    """A reply of the recorded one's kind: with a tool call where it has one."""
    text = recorded if isinstance(recorded, str) else json.dumps(recorded)
    if "tool_use" in text or "toolUse" in text:
        return [TextDelta("a"), ToolStart("t"), ToolDelta("{}"), Finish("tool_use", 5, 2)]
    return [TextDelta("a"), Finish("max_tokens", 5, 2)]


def _kind(chunk: dict[str, Any]) -> str:
    kind = chunk.get("type")
    if kind:
        return str(kind)
    kinds = (
        "messageStart",
        "contentBlockStart",
        "contentBlockDelta",
        "contentBlockStop",
        "messageStop",
        "metadata",
    )
    return next((name for name in kinds if name in chunk), "chunk")
