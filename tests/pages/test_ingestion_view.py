"""What a knowledge base has read, as the page shows it: faults first, syncs live, changes for admins only."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from services import knowledge
from services.clients import Identity
from services.knowledge import DataSource, Document, IngestionJob, Listing
from services.knowledge_files import DocumentFile
from services.problems import Problem

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SOURCE = DataSource("DS12345678", "KB12345678", "documents", "AVAILABLE", "S3", "bucket-a", ("documents/",))
GOOD = Document("s3://bucket-a/documents/good.md", "S3", "INDEXED")
BAD = Document("s3://bucket-a/documents/<b>bad</b>.pdf", "S3", "FAILED", "it is encrypted")
DONE = IngestionJob("JB00000001", "COMPLETE", NOW, NOW, scanned=2, new=1, failed=1)
PROBLEM = Problem("Boom", "It went wrong", "Because.", "Do this.")


class Service:
    """Stands in for the service: keeps what is asked for."""

    def __init__(self) -> None:
        self.sources: Listing[DataSource] = Listing((SOURCE,))
        self.jobs: list[IngestionJob] = [DONE]
        self.documents: Listing[Document] = Listing((BAD, GOOD))
        self.acts: list[tuple[str, Any]] = []
        self.answer: Problem | None = None

    def act(self, name: str, given: Any) -> Problem | None:
        self.acts.append((name, given))
        return self.answer


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    fake = Service()

    def documents(identity: Identity, base: str, source: str) -> Listing[Document]:
        return fake.documents

    documents.clear = lambda *_: fake.acts.append(("clear", None))  # type: ignore[attr-defined]
    monkeypatch.setattr(knowledge, "documents", documents)
    monkeypatch.setattr(knowledge, "data_sources", lambda *_: fake.sources)
    monkeypatch.setattr(knowledge, "ingestion_jobs", lambda *_: Listing(tuple(fake.jobs)))
    monkeypatch.setattr(knowledge, "ingestion_job", lambda *_: fake.jobs[0])
    monkeypatch.setattr(knowledge, "start_ingestion", lambda *_: fake.act("start", None) or DONE)
    monkeypatch.setattr(knowledge, "stop_ingestion", lambda *given: fake.act("stop", given[-1]) or DONE)
    monkeypatch.setattr(knowledge, "delete_documents", lambda *given: fake.act("delete", given[-1]))

    def upload(
        identity: Identity, source: DataSource, files: tuple[DocumentFile, ...]
    ) -> tuple[tuple[str, ...], Problem | None]:
        return tuple(file.name for file in files), fake.act("upload", [file.name for file in files])

    monkeypatch.setattr(knowledge, "upload_documents", upload)
    return fake


def view() -> None:
    """The view alone, as the page calls it."""
    import streamlit as st

    from components.ingestion_view import ingestion_view
    from services.clients import Identity
    from services.users import User

    user = User("ana", "Ana", st.session_state.get("role", "admin"))
    ingestion_view(Identity("local", "localbedrock", "us-east-1"), user, "KB12345678")


def opened(role: str = "admin") -> AppTest:
    app = AppTest.from_function(view, default_timeout=20)
    app.session_state["role"] = role
    return run(app)


def run(app: AppTest) -> AppTest:
    app.run()
    assert not app.exception
    return app


def words(app: AppTest) -> str:
    kinds = (app.markdown, app.caption, app.error, app.info, app.warning)
    return "\n".join(str(element.value) for kind in kinds for element in kind).replace("\\", "")


def test_documents_with_faults_can_be_shown_alone(service: Service) -> None:
    app = opened()
    assert "2 documents, 1 with faults" in words(app)
    assert list(app.dataframe[0].value["Document"]) == ["<b>bad</b>.pdf", "good.md"]
    app.toggle(key="rag_documents_bad").set_value(True)
    run(app)
    assert list(app.dataframe[0].value["Reason"]) == ["it is encrypted"]


def test_the_last_sync_says_what_it_changed_and_a_new_one_can_be_started(service: Service) -> None:
    app = opened()
    assert "COMPLETE · 2 scanned, 1 new, 1 failed" in words(app)
    app.button(key="rag_sync_start").click()
    run(app)
    assert ("start", None) in service.acts


def test_a_sync_that_goes_on_shows_its_numbers_and_can_be_stopped(service: Service) -> None:
    service.jobs.insert(0, IngestionJob("JB00000002", "IN_PROGRESS", NOW, NOW, scanned=40, new=7))
    app = opened()
    assert {metric.label: metric.value for metric in app.metric}["New"] == "7"
    assert "looked at" in words(app)
    app.button(key="rag_sync_stop").click()
    run(app)
    assert ("stop", "JB00000002") in service.acts


def test_files_are_checked_uploaded_and_synced_in_one_click(service: Service) -> None:
    app = opened()
    app.file_uploader(key="rag_ingestion_files_0").set_value(
        [("new doc.md", b"# New", "text/markdown"), ("tool.exe", b"MZ", "application/octet-stream")]
    )
    run(app)
    assert "tool.exe" in words(app)
    app.button(key="rag_upload_sync").click()
    run(app)
    assert service.acts[:2] == [("upload", ["new-doc.md"]), ("start", None)]
    assert app.button(key="rag_upload").disabled, "what is uploaded waits no more"


def test_an_upload_that_fails_keeps_the_files_and_says_why(service: Service) -> None:
    service.answer = PROBLEM
    app = opened()
    app.file_uploader(key="rag_ingestion_files_0").set_value([("a.md", b"# A", "text/markdown")])
    run(app)
    app.button(key="rag_upload").click()
    run(app)
    assert "Do this." in words(app)
    assert not app.button(key="rag_upload").disabled
    service.answer = None
    app.button(key="rag_upload").click()
    run(app)
    assert "Do this." not in words(app)


@pytest.mark.parametrize("role", ["viewer", "tester"])
def test_who_is_no_admin_may_look_and_not_change(service: Service, role: str) -> None:
    app = opened(role)
    assert f"needs the role admin; yours is {role}" in words(app)
    for key in ("rag_sync_start", "rag_upload", "rag_upload_sync", "rag_documents_delete"):
        assert app.button(key=key).disabled


def test_what_cannot_be_listed_is_a_problem_and_not_an_empty_page(service: Service) -> None:
    service.sources = Listing((), PROBLEM)
    assert "Do this." in words(opened())
    service.sources = Listing(())
    assert "no data source" in words(opened())


def test_one_of_several_data_sources_can_be_chosen(service: Service) -> None:
    other = DataSource("DS00000002", "KB12345678", "web pages", "AVAILABLE", "WEB")
    service.sources = Listing((SOURCE, other))
    app = opened()
    app.selectbox(key="rag_ingestion_source").set_value("DS00000002")
    run(app)
    assert "of type WEB" in words(app)
