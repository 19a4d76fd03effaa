"""Building a knowledge base on the page: from files to "Chat with it", through failures, and apart again."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from streamlit.testing.v1 import AppTest

from components import knowledge_build as view_module
from services import clients, knowledge_files
from services.clients import Caller, Identity
from services.knowledge_build import STEPS, builders
from services.knowledge_build.execution import Execution
from services.model_values import Model

IDENTITY = Identity("local", "localbedrock", "us-east-1")
MODEL = Model(
    model_id="local.embedder",
    arn="arn:aws:bedrock:us-east-1::foundation-model/local.embedder",
    name="Embedder",
    provider="Local",
    kind="foundation",
    base_model_id="local.embedder",
    output_modalities=frozenset({"EMBEDDING"}),
)
BASE = {"knowledgeBaseId": "KB12345678", "status": "ACTIVE"}
ANSWERS: dict[str, dict[str, Any]] = {
    "CreateKnowledgeBase": {"knowledgeBase": BASE},
    "GetKnowledgeBase": {"knowledgeBase": BASE},
    "CreateDataSource": {"dataSource": {"dataSourceId": "DS12345678"}},
    "StartIngestionJob": {"ingestionJob": {"ingestionJobId": "JB12345678"}},
    "GetIngestionJob": {
        "ingestionJob": {"status": "COMPLETE", "statistics": {"numberOfDocumentsScanned": 2}}
    },
}


class Aws:
    """An account with nothing in it, in which whatever is made is ready at once."""

    def __init__(self) -> None:
        self.made: list[tuple[str, dict[str, Any]]] = []
        self.error: tuple[str, str] | None = None
        self.held: tuple[str, threading.Event] | None = None

    def send(self, _: Execution, service: str, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        if self.held and self.held[0] == operation:
            assert self.held[1].wait(20)
        if self.error and self.error[0] == operation:
            code = self.error[1]
            raise ClientError({"Error": {"Code": code, "Message": "User is not authorized"}}, operation)
        self.made.append((operation, arguments))
        if operation == "InvokeModel":
            return {"body": _Body()}
        if operation == "BatchGetCollection" and "CreateCollection" in self.operations:
            detail = {"id": "c" * 20, "arn": "arn:aws:aoss:us-east-1:1:collection/c", "status": "ACTIVE"}
            return {"collectionDetails": [detail]}
        if operation in ANSWERS:
            return ANSWERS[operation]
        if operation.startswith(("Get", "List")):
            raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "no"}}, operation)
        return {}

    @property
    def operations(self) -> list[str]:
        return [operation for operation, _ in self.made]


class _Body:
    def read(self) -> bytes:
        return json.dumps({"embedding": [0.1, 0.2]}).encode()


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Aws:
    fake = Aws()
    monkeypatch.setattr(Execution, "_send", lambda *arguments: fake.send(*arguments))
    caller = Caller("123456789012", None, "arn:aws:iam::123456789012:user/ana")
    monkeypatch.setattr(clients, "caller", lambda identity: caller)
    monkeypatch.setattr(view_module, "embedding_models", lambda identity: (MODEL,))
    monkeypatch.setattr(knowledge_files, "SAMPLES", tmp_path / "samples")
    builders.clear()
    return fake


def view() -> None:
    """The view alone, as the page calls it."""
    import streamlit as st

    from components.knowledge_build import knowledge_build
    from services.clients import Identity
    from services.users import User

    state = st.session_state
    user = User("ana", "Ana", state.get("role", "admin"))
    identity = Identity(state.get("backend", "local"), "localbedrock", "us-east-1")
    if state.get("leave"):
        st.markdown("another page")
    else:
        knowledge_build(identity, user, chosen=lambda base: state.update(chosen=base))


def opened(**state: Any) -> AppTest:
    app = AppTest.from_function(view, default_timeout=20)
    for name, value in state.items():
        app.session_state[name] = value
    return run(app)


def run(app: AppTest) -> AppTest:
    app.run()
    assert not app.exception
    return app


def click(app: AppTest, key: str) -> AppTest:
    app.button(key=key).click()
    return run(app)


def built(app: AppTest, name: str = "my-documents") -> AppTest:
    """Click Build and see it through."""
    click(app, "rag_build_start")
    builder = builders().of(IDENTITY, name)
    assert builder
    assert builder.wait(20)
    return run(app)


def words(app: AppTest) -> str:
    kinds = (app.markdown, app.caption, app.error, app.info, app.warning, app.success)
    return "\n".join(str(element.value) for kind in kinds for element in kind).replace("\\", "")


def drop(app: AppTest, *files: tuple[str, bytes]) -> AppTest:
    app.file_uploader(key="rag_build_files").set_value([(name, data, "text/plain") for name, data in files])
    return run(app)


def test_from_dropped_files_to_a_chat(aws: Aws) -> None:
    app = opened()
    drop(app, ("a b.md", b"# A"), ("b.txt", b"B"))
    assert "2 documents" in words(app)
    built(app)
    put = [(call["Key"], call["Body"]) for operation, call in aws.made if operation == "PutObject"]
    assert put == [("documents/a-b.md", b"# A"), ("documents/b.txt", b"B")]
    assert "is ready" in words(app)
    assert "2 scanned" in words(app)
    click(app, "rag_build_chat")
    assert app.session_state["chosen"] == "KB12345678"


def test_bad_files_are_named_at_once_and_the_good_ones_stay(aws: Aws) -> None:
    app = opened()
    drop(
        app, ("a.md", b"1"), ("A.md", b"2"), ("virus.exe", b"MZ"), ("empty.txt", b""), ("<b>x</b>.zip", b"PK")
    )
    said = words(app)
    for expected in ("A.md", "virus.exe", "empty", "<b>x</b>.zip"):
        assert expected in said
    assert "1 documents" in said
    assert not aws.made


def test_every_step_shows_its_code_and_its_policy_before_anything_is_made(aws: Aws) -> None:
    app = opened()
    shown = [block.value for block in app.code]
    assert len(shown) == 2 * len(STEPS)
    assert "aoss.create_index" in "\n".join(shown)
    assert "iam:PassRole" in "\n".join(shown)
    assert not aws.made


def test_a_failure_is_told_at_its_step_and_the_build_goes_on_from_there(aws: Aws) -> None:
    aws.error = ("CreateCollection", "AccessDeniedException")
    app = built(drop(opened(), ("a.md", b"1")))
    assert "What to do" in words(app)
    assert "did not come to its end" in words(app)
    aws.error = None
    click(app, "rag_build_again")
    builder = builders().of(IDENTITY, "my-documents")
    assert builder
    assert builder.wait(20)
    assert "is ready" in words(run(app))


def test_a_build_that_goes_on_is_found_again_by_another_session_and_can_be_stopped(aws: Aws) -> None:
    gate = threading.Event()
    aws.held = ("CreateCollection", gate)
    click(drop(opened(), ("a.md", b"1")), "rag_build_start")
    reloaded = opened()
    assert [one.value.replace("\\", "") for one in reloaded.subheader] == ["Building my-documents"]
    click(reloaded, "rag_build_stop")
    gate.set()
    builder = builders().of(IDENTITY, "my-documents")
    assert builder
    assert builder.wait(20)
    assert "It was stopped" in words(run(reloaded))
    assert "CreateKnowledgeBase" not in aws.operations
    assert not reloaded.button(key="rag_build_again").disabled


def test_what_was_typed_and_dropped_is_kept_when_the_page_is_left(aws: Aws) -> None:
    app = opened()
    drop(app, ("a.md", b"1"))
    app.text_input(key="rag_build_name").set_value("Manuals")
    run(app)
    app.selectbox(key="rag_build_chunking_strategy").set_value("HIERARCHICAL")
    run(app)
    app.number_input(key="rag_build_chunking_child_tokens").set_value(200)
    run(app)
    app.session_state["leave"] = True
    run(app)
    app.session_state["leave"] = False
    run(app)
    assert app.text_input(key="rag_build_name").value == "Manuals"
    assert app.number_input(key="rag_build_chunking_child_tokens").value == 200
    built(app, "Manuals")
    (source,) = [call for operation, call in aws.made if operation == "CreateDataSource"]
    levels = source["vectorIngestionConfiguration"]["chunkingConfiguration"]
    assert levels["hierarchicalChunkingConfiguration"]["levelConfigurations"][1] == {"maxTokens": 200}
    assert "PutObject" in aws.operations


@pytest.mark.parametrize("name", ["", "two words", "a--b"])
def test_a_name_that_aws_would_refuse_cannot_be_built(aws: Aws, name: str) -> None:
    app = opened()
    app.text_input(key="rag_build_name").set_value(name)
    run(app)
    assert app.button(key="rag_build_start").disabled


@pytest.mark.parametrize("role", ["viewer", "tester"])
def test_who_may_not_build_sees_how_it_is_done_and_why_not(aws: Aws, role: str) -> None:
    app = opened(role=role)
    assert f"needs the role admin; yours is {role}" in words(app)
    assert len(app.code) == 2 * len(STEPS)
    for key in ("rag_build_start", "rag_build_delete"):
        assert app.button(key=key).disabled
    assert not aws.made


def test_on_aws_the_price_of_the_collection_is_said_and_locally_it_is_not(aws: Aws) -> None:
    assert "billed per hour while it exists" in words(opened(backend="aws"))
    assert "billed" not in words(opened())


def test_the_sample_documents_are_offered_where_there_are_any(aws: Aws) -> None:
    assert "rag_build_samples" not in {button.key for button in opened().button}
    knowledge_files.SAMPLES.mkdir()
    (knowledge_files.SAMPLES / "manual.md").write_text("# Manual")
    (knowledge_files.SAMPLES / "manual.md.metadata.json").write_text('{"metadataAttributes": {"year": 2024}}')
    app = click(opened(), "rag_build_samples")
    assert "1 documents and 1 files with metadata" in words(app)
    assert app.text_input(key="rag_build_name").value == "sample-documents"


def test_taking_apart_names_what_goes_and_is_one_click_after_that(aws: Aws) -> None:
    app = opened()
    assert "the S3 bucket my-documents-123456789012-us-east-1" in words(app)
    click(app, "rag_build_delete")
    builder = builders().of(IDENTITY, "my-documents")
    assert builder
    assert builder.wait(20)
    assert "nothing is left" in words(run(app))
    assert not [one for one in aws.operations if one.startswith("Delete")]
    click(app, "rag_build_new")
    assert not app.button(key="rag_build_start").disabled
