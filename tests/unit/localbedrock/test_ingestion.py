"""The ingestion runner with an index that records: what reaches it, and what happens when things fail."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

import pytest

from localbedrock.asgi import Answer
from localbedrock.context import Context
from localbedrock.embeddings import Embedder
from localbedrock.emulator import Call
from localbedrock.errors import AwsError
from localbedrock.keys import ACCOUNT_ID
from localbedrock.knowledge import bases, data_sources, direct, documents, ingestion_jobs, jobs
from localbedrock.knowledge.document_states import Change, DocumentStates
from localbedrock.knowledge.host import Host
from localbedrock.knowledge.index import Row
from localbedrock.knowledge.ingestion import Runner
from localbedrock.knowledge.objects import Content
from localbedrock.store import Store

MODEL = "arn:aws:bedrock:us-east-1::foundation-model/local.wordllama-256-v1:0"
STORAGE = {"type": "S3_VECTORS", "s3VectorsConfiguration": {}}


class FakeIndex:
    """Keeps rows in a list."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.optimized = 0

    def add(self, rows: Sequence[Row]) -> None:
        self.rows.extend(rows)

    def delete_documents(self, data_source_id: str, document_ids: Sequence[str]) -> None:
        gone = {(data_source_id, document_id) for document_id in document_ids}
        self.rows = [row for row in self.rows if (row.data_source_id, row.document_id) not in gone]

    def delete_data_source(self, data_source_id: str) -> None:
        self.rows = [row for row in self.rows if row.data_source_id != data_source_id]

    def optimize(self) -> None:
        self.optimized += 1


class FakeIndexes:
    """One index for all, which can be dropped."""

    def __init__(self) -> None:
        self.index = FakeIndex()

    def of(self, _knowledge_base_id: str) -> FakeIndex:
        return self.index

    def drop(self, _knowledge_base_id: str) -> None:
        self.index = FakeIndex()


class Bucket:
    """One bucket of S3; ``read`` are the keys that were fetched."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.read: list[str] = []
        self.error: Exception | None = None

    def deliver(self, call: Call) -> Answer:
        if self.error is not None:
            raise self.error
        key = call.path.removeprefix("/bucket/")
        if key:
            self.read.append(key)
            return Answer(200, self.objects[key])
        prefix = parse_qs(call.query, keep_blank_values=True)["prefix"][0]
        found = sorted(key for key in self.objects if key.startswith(prefix))
        return Answer(200, "".join(map(self._listed, found)).encode())

    def _listed(self, key: str) -> str:
        etag = hashlib.sha256(self.objects[key]).hexdigest()
        size = len(self.objects[key])
        return f'<Contents><Key>{escape(key)}</Key><ETag>"{etag}"</ETag><Size>{size}</Size></Contents>'


class World:
    """A store, a bucket and an index, with or without a runner at work."""

    def __init__(self, embedder: Embedder) -> None:
        self.store = Store(":memory:")
        self.bucket = Bucket()
        self.indexes = FakeIndexes()
        self.host = Host(cast(Any, self.indexes), self.bucket.deliver, cast(Any, None))
        self.models = cast(Any, SimpleNamespace(embedder=embedder, openai=None))
        self.ctx = Context(
            "r", "us-east-1", ACCOUNT_ID, self.store, self.models, threading.Event(), lambda _inference: None
        )
        vector = {"embeddingModelArn": MODEL}
        made = bases.create_knowledge_base(self.host, self.ctx, {
            "name": "base", "roleArn": "r", "storageConfiguration": STORAGE,
            "knowledgeBaseConfiguration": {"type": "VECTOR", "vectorKnowledgeBaseConfiguration": vector},
        })  # fmt: skip
        self.base_id: str = made["knowledgeBase"]["knowledgeBaseId"]

    def source(self, kind: str = "S3", **changes: Any) -> str:
        configuration: dict[str, Any] = {"type": kind}
        if kind == "S3":
            configuration["s3Configuration"] = {"bucketArn": "arn:aws:s3:::bucket"}
        given = {"name": f"source-{kind}", "dataSourceConfiguration": configuration}
        params = given | {"knowledgeBaseId": self.base_id} | changes
        made = data_sources.create_data_source(self.host, self.ctx, params)
        return str(made["dataSource"]["dataSourceId"])

    def start(self, source_id: str) -> str:
        where = {"knowledgeBaseId": self.base_id, "dataSourceId": source_id}
        started = ingestion_jobs.start_ingestion_job(self.host, self.ctx, where)
        return str(started["ingestionJob"]["ingestionJobId"])

    def run(self) -> None:
        """Lets a runner work until nothing waits."""
        runner = Runner(self.store, self.models, self.host)
        try:
            for _ in range(400):
                if self.host.documents.asked() is None and jobs.waiting(self.store) is None:
                    return
                threading.Event().wait(0.02)
            raise AssertionError("the runner does not end")
        finally:
            runner.stop(10)

    def sync(self, source_id: str) -> dict[str, Any]:
        job_id = self.start(source_id)
        self.run()
        return self.job(job_id)

    def job(self, job_id: str) -> dict[str, Any]:
        job = self.store.get(jobs.KIND, job_id)
        assert job is not None
        return job


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder()


@pytest.fixture
def world(embedder: Embedder) -> Iterator[World]:
    made = World(embedder)
    yield made
    made.store.close()
    made.host.documents.close()


def test_chunks_carry_where_they_come_from(world: World) -> None:
    world.bucket.objects = {
        "a & b.txt": b"Apples are red.",
        "a & b.txt.metadata.json": b'{"metadataAttributes": {"year": 2024}}',
    }
    source_id = world.source()
    world.sync(source_id)
    (row,) = world.indexes.index.rows
    uri = "s3://bucket/a & b.txt"
    assert (row.document_id, row.text, row.location) == (
        uri, "Apples are red.", {"type": "S3", "s3Location": {"uri": uri}},
    )  # fmt: skip
    assert row.metadata == {
        "year": 2024,
        "x-amz-bedrock-kb-source-uri": uri,
        "x-amz-bedrock-kb-data-source-id": source_id,
        "x-amz-bedrock-kb-chunk-id": row.chunk_id,
    }
    assert len(row.vector) == 256
    assert world.indexes.index.optimized == 1


def test_what_is_unchanged_is_neither_read_nor_written(world: World) -> None:
    world.bucket.objects = {f"{number}.txt": b"Text." for number in range(5)}
    source_id = world.source()
    world.sync(source_id)
    rows, world.bucket.read = list(world.indexes.index.rows), []
    world.sync(source_id)
    assert world.bucket.read == []
    assert world.indexes.index.rows == rows
    world.bucket.objects["1.txt"] = b"Another text."
    del world.bucket.objects["2.txt"]
    world.sync(source_id)
    assert world.bucket.read == ["1.txt"]
    texts = {row.document_id: row.text for row in world.indexes.index.rows}
    assert len(world.indexes.index.rows) == len(texts) == 4
    assert texts["s3://bucket/1.txt"] == "Another text."


def test_a_document_that_became_unreadable_leaves_the_index(world: World) -> None:
    world.bucket.objects = {"a.txt": b"Text."}
    source_id = world.source()
    world.sync(source_id)
    world.bucket.objects = {"a.txt": b""}
    job = world.sync(source_id)
    assert job["statistics"]["numberOfDocumentsFailed"] == 1
    assert world.indexes.index.rows == []


def test_a_file_that_is_too_large_is_not_fetched(world: World) -> None:
    world.bucket.objects = {"a.txt": b"x" * 100_000_000}
    job = world.sync(world.source())
    assert (job["status"], job["statistics"]["numberOfDocumentsFailed"]) == ("COMPLETE", 1)
    assert world.bucket.read == []


def test_a_reason_that_holds_for_many_files_is_said_once_and_not_without_end(world: World) -> None:
    world.bucket.objects = {f"{'long' * 20}{number}.txt": b"" for number in range(100)}
    (reason,) = world.sync(world.source())["failureReasons"]
    assert len(reason) <= 2048
    assert " more]" in reason


@pytest.mark.parametrize(
    ("error", "words"),
    [(LookupError("There is no S3."), "There is no S3."), (TimeoutError(), "failed to process")],
)
def test_a_job_fails_with_a_sentence_and_the_next_one_is_tried(
    world: World, error: Exception, words: str
) -> None:
    world.bucket.error = error
    started = [world.start(world.source(name=name)) for name in ("one", "two")]
    world.run()
    for job_id in started:
        job = world.job(job_id)
        assert (job["status"], words in job["failureReasons"][0]) == ("FAILED", True)


def test_a_job_whose_model_fails_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.bucket.objects = {"a.txt": b"Text."}

    def fail(*_: Any) -> None:
        raise AwsError("ThrottlingException", "Too many requests.")

    monkeypatch.setattr("localbedrock.knowledge.embedding.embed", fail)
    job = world.sync(world.source())
    assert (job["status"], job["failureReasons"]) == ("FAILED", ["Too many requests."])
    (state,) = world.host.documents.all_of(job["dataSourceId"]).values()
    assert (state.status, state.reason) == ("FAILED", "Too many requests.")
    monkeypatch.undo()
    job = world.sync(job["dataSourceId"])
    assert job["statistics"]["numberOfNewDocumentsIndexed"] == 1


def test_a_job_that_was_interrupted_counts_what_it_had_done_and_repeats_what_was_half_done(
    world: World,
) -> None:
    world.bucket.objects = {"done.txt": b"Done.", "half.txt": b"Half."}
    source_id = world.source()
    world.sync(source_id)
    job_id = world.start(source_id)
    (done, half) = world.host.documents.all_of(source_id).values()
    new = "numberOfNewDocumentsIndexed"
    world.host.documents.put(
        source_id,
        [
            Change(done.document_id, "INDEXED", "", done.etag, "", job_id, new),
            Change(half.document_id, "IN_PROGRESS", "", "", "", job_id, new),
        ],
    )
    world.run()
    assert world.job(job_id)["statistics"][new] == 2
    assert sorted(row.text for row in world.indexes.index.rows) == ["Done.", "Half."]


def test_a_job_that_was_to_be_stopped_before_it_began_is_stopped(world: World) -> None:
    world.bucket.error = AssertionError("nothing is read")
    source_id = world.source()
    job_id = world.start(source_id)
    where = {"knowledgeBaseId": world.base_id, "dataSourceId": source_id, "ingestionJobId": job_id}
    ingestion_jobs.stop_ingestion_job(world.host, world.ctx, where)
    world.run()
    assert world.job(job_id)["status"] == "STOPPED"


@pytest.mark.parametrize(("policy", "left"), [("DELETE", 0), ("RETAIN", 1)])
def test_a_data_source_that_goes_takes_its_chunks_or_leaves_them(
    world: World, policy: str, left: int
) -> None:
    world.bucket.objects = {"a.txt": b"Text."}
    source_id = world.source(dataDeletionPolicy=policy)
    world.sync(source_id)
    where = {"knowledgeBaseId": world.base_id, "dataSourceId": source_id}
    data_sources.delete_data_source(world.host, world.ctx, where)
    assert len(world.indexes.index.rows) == left
    assert world.host.documents.all_of(source_id) == {}


def test_a_knowledge_base_that_goes_takes_everything(world: World) -> None:
    world.bucket.objects = {"a.txt": b"Text."}
    source_id = world.source()
    job = world.sync(source_id)
    bases.delete_knowledge_base(world.host, world.ctx, {"knowledgeBaseId": world.base_id})
    assert world.indexes.index.rows == []
    assert world.host.documents.all_of(source_id) == {}
    assert world.store.get(jobs.KIND, job["ingestionJobId"]) is None
    with pytest.raises(AwsError, match="does not exist"):
        bases.find(world.ctx, world.base_id)


def _ingest(world: World, source_id: str, document_id: str, **content: Any) -> None:
    custom = {"customDocumentIdentifier": {"id": document_id}} | content
    params = {
        "knowledgeBaseId": world.base_id,
        "dataSourceId": source_id,
        "documents": [{"content": {"dataSourceType": "CUSTOM", "custom": custom}}],
    }
    documents.ingest_documents(world.host, world.ctx, params)


def _text(text: str) -> dict[str, Any]:
    return {"sourceType": "IN_LINE", "inlineContent": {"type": "TEXT", "textContent": {"data": text}}}


def test_a_document_of_a_call_replaces_the_one_of_its_id_and_its_content_stays(world: World) -> None:
    source_id = world.source("CUSTOM")
    for text in ("First.", "Second."):
        _ingest(world, source_id, "note", **_text(text))
        world.run()
    (row,) = world.indexes.index.rows
    assert (row.text, row.location) == (
        "Second.", {"type": "CUSTOM", "customDocumentLocation": {"id": "note"}},
    )  # fmt: skip
    assert row.metadata["x-amz-bedrock-kb-source-uri"] == "note"
    found = direct.raw_content(world.host, "us-east-1", source_id, "note")
    assert found == Content("note", "text/plain", b"Second.", {})
    world.bucket.objects = {"far.html": b"<p>Far.</p>"}
    _ingest(world, source_id, "far", sourceType="S3_LOCATION", s3Location={"uri": "s3://bucket/far.html"})
    found = direct.raw_content(world.host, "us-east-1", source_id, "far")
    assert found == Content("far.html", "text/html", b"<p>Far.</p>", {})
    assert direct.raw_content(world.host, "us-east-1", source_id, "s3://bucket/far.html") is None


def test_a_call_that_comes_while_its_document_is_worked_on_is_not_lost() -> None:
    states = DocumentStates(":memory:")
    states.ask("source", ["a"], "ingest")
    first = states.asked()
    assert first is not None
    states.ask("source", ["a"], "delete")
    states.done(first, Change("a", "INDEXED"))
    states.put("source", [Change("a", "INDEXED", etag="e")])
    second = states.asked()
    assert second is not None
    assert (second.work, second.status, second.etag) == ("delete", "DELETING", "e")
    states.remove_asked(first)
    assert states.get("source", "a") is not None
    states.remove_asked(second)
    assert states.get("source", "a") is None
    states.close()


def test_a_document_of_a_data_source_that_is_gone_is_forgotten(world: World) -> None:
    source_id = world.source("CUSTOM")
    _ingest(world, source_id, "note", **_text("Text."))
    state = world.host.documents.asked()
    assert state is not None
    world.store.delete(data_sources.KIND, source_id)
    direct.work(world.host, world.ctx, state)
    assert world.host.documents.asked() is None
    assert world.indexes.index.rows == []
