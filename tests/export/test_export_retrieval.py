"""Exported calls of knowledge bases, run as a process, send the request of the call."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from services.clients import Identity
from services.rag_settings import RagSettings, RetrievalSettings, generate_call, retrieve_call
from services.runtime import open_call
from tests.export.test_export_runs import run
from tests.scripted_server import Exchange, ScriptedServer
from tests.unit.rag import citation, reference, response

FILTER = {
    "andAll": [{"in": {"key": "team", "value": ["a", "b"]}}, {"greaterThan": {"key": "year", "value": 1}}]
}
SOURCE = reference("A passage", "s3://b/a.md", team="a")
BARE = RagSettings("KB12345678", "generate", "some.model-v1:0")
FULL = RagSettings(
    "KB12345678",
    "generate",
    "some.model-v1:0",
    RetrievalSettings(7, "SEMANTIC", FILTER, "amazon.rerank-v1:0", 3),
)


def answer(exchange: Exchange) -> None:
    if exchange.path.endswith("/retrieve"):
        exchange.answer(json.dumps({"retrievalResults": [{**SOURCE, "score": 0.75}]}).encode())
    else:
        exchange.answer(json.dumps(response("It rains.", citation("It rains.", 0, 8, SOURCE))).encode())


@pytest.fixture
def variables(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_AGENT_RUNTIME", server.url)
    server.play(answer)
    return {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_ENDPOINT_URL_BEDROCK_AGENT_RUNTIME": server.url,
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "not-a-secret",
    }


def compare(server: ScriptedServer) -> None:
    workbench, exported = server.requests
    assert exported.path == workbench.path
    assert json.loads(exported.body) == json.loads(workbench.body)


@pytest.mark.parametrize("dialect", ["AWS CLI", "LangChain"])
@pytest.mark.parametrize("settings", [BARE, FULL], ids=["bare", "full"])
def test_retrieve(
    server: ScriptedServer,
    identity: Identity,
    export_bin: Path,
    tmp_path: Path,
    variables: dict[str, str],
    dialect: str,
    settings: Any,
) -> None:
    call = retrieve_call("Why is it 'so'?", settings, identity)
    open_call(call).close()
    printed = run(dialect, call, tmp_path, export_bin, variables)
    compare(server)
    assert "A passage" in printed
    assert "0.75" in printed
    assert "s3://b/a.md" in printed


def test_the_cli_generates_in_one_piece(
    server: ScriptedServer,
    identity: Identity,
    export_bin: Path,
    tmp_path: Path,
    variables: dict[str, str],
) -> None:
    open_call(generate_call("Why?", FULL, identity, stream=False)).close()
    printed = run("AWS CLI", generate_call("Why?", FULL, identity), tmp_path, export_bin, variables)
    compare(server)
    assert "It rains." in printed
