"""Calls of knowledge bases as code: it runs, sends the request of the call, and prints the answer."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from services.clients import Identity
from services.code_export import aws_cli_code, boto3_code, langchain_code, llamaindex_code
from services.rag_settings import RagSettings, RetrievalSettings, generate_call, retrieve_call
from services.runs import Call
from services.runtime import open_call
from tests.eventstream import frame
from tests.scripted_server import Exchange, ScriptedServer
from tests.unit.rag import citation, reference, response

AWS = Identity("aws", "work", "eu-west-1")
FILTER = {"in": {"key": "team", "value": ["a", "b"]}}
SETTINGS = RagSettings("KB12345678", "generate", "m", RetrievalSettings(3, "HYBRID", FILTER))
SOURCE = reference("A passage", "s3://b/a.md")


def answer(exchange: Exchange) -> None:
    if exchange.path.endswith("/retrieve"):
        exchange.answer(json.dumps({"retrievalResults": [{**SOURCE, "score": 0.75}]}).encode())
    elif exchange.path.endswith("Stream"):
        exchange.start_stream({"x-amzn-bedrock-knowledge-base-session-id": "session-1"})
        exchange.send(frame("output", {"text": "It rains."}))
        exchange.send(frame("citation", citation("It rains.", 0, 8, SOURCE)))
        exchange.end()
    else:
        exchange.answer(json.dumps(response("It rains.", citation("It rains.", 0, 8, SOURCE))).encode())


CALLS = {
    "Retrieve": lambda identity: retrieve_call("Why?", SETTINGS, identity),
    "RetrieveAndGenerate": lambda identity: generate_call("Why?", SETTINGS, identity, stream=False),
    "RetrieveAndGenerateStream": lambda identity: generate_call("Why?", SETTINGS, identity),
}
PRINTS = {
    "Retrieve": ("0.75", "A passage"),
    "RetrieveAndGenerate": ("It rains.", "Session: s\n"),
    "RetrieveAndGenerateStream": ("It rains.", "Session: session-1"),
}


@pytest.mark.parametrize("operation", CALLS)
def test_the_boto3_code_asks_the_same_and_prints_answer_and_sources(
    server: ScriptedServer,
    identity: Identity,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    operation: str,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_AGENT_RUNTIME", server.url)
    server.play(answer)
    call: Call = CALLS[operation](identity)
    open_call(call).close()
    (tmp_path / "call.py").write_text(boto3_code(call), encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "call.py"], cwd=tmp_path, env=os.environ, capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
    for words in ("s3://b/a.md", *PRINTS[operation]):
        assert words in ran.stdout
    workbench, exported = server.requests
    assert (exported.path, json.loads(exported.body)) == (workbench.path, json.loads(workbench.body))


def test_the_cli_says_that_it_does_not_stream() -> None:
    code = aws_cli_code(CALLS["RetrieveAndGenerateStream"](AWS))
    assert "# The AWS CLI has no retrieve-and-generate-stream: the answer comes in one piece." in code
    assert "aws bedrock-agent-runtime retrieve-and-generate --cli-input-json" in code
    assert "aws bedrock-agent-runtime retrieve --cli-input-json" in aws_cli_code(CALLS["Retrieve"](AWS))


def test_langchain_has_a_retriever() -> None:
    code = langchain_code(CALLS["Retrieve"](AWS))
    ast.parse(code)
    assert "from langchain_aws import AmazonKnowledgeBasesRetriever" in code
    assert 'knowledge_base_id="KB12345678"' in code
    assert 'credentials_profile_name="work"' in code
    assert '"overrideSearchType": "HYBRID"' in code
    assert 'retriever.invoke("Why?")' in code


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"retrievalConfiguration": {"vectorSearchConfiguration": {}}}, "asks for 4 results"),
        ({"retrievalQuery": {"text": " Why? "}}, "white space"),
        ({"retrievalQuery": {"text": "Why?", "type": "TEXT"}}, "no name for type"),
        ({"nextToken": "x"}, "no name for nextToken"),
    ],
)
def test_langchain_refuses_what_it_would_send_differently(changes: dict[str, Any], why: str) -> None:
    call = CALLS["Retrieve"](AWS)
    call.request.update(changes)
    with pytest.raises(ValueError, match=why):
        langchain_code(call)


@pytest.mark.parametrize("write", [langchain_code, llamaindex_code])
@pytest.mark.parametrize("operation", ["RetrieveAndGenerate", "RetrieveAndGenerateStream"])
def test_the_frameworks_refuse_what_bedrock_writes_by_itself(write: Any, operation: str) -> None:
    with pytest.raises(ValueError, match=f"no class for {operation}.*use boto3 or the AWS CLI"):
        write(CALLS[operation](AWS))
    with pytest.raises(ValueError, match="use boto3"):
        llamaindex_code(CALLS["Retrieve"](AWS))
