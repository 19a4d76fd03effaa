"""Knowledge bases of the local endpoint through boto3: how quickly and how well passages are found."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bench.report import Row, percentile
from scripts.served_app import ROOT
from services import rag_test_set
from services.citations import results_of
from services.rag_test_metrics import Outcome, by_kind, measure, outcome_of

DOCUMENTS = 10_000
SIDECAR_EVERY = 4
QUERIES = 200
WARM_QUERIES = 10
RESULTS = 5
CANDIDATES = 20
"""How many results a reranking model chooses from."""
UPLOADS_AT_ONCE = 8
LONGEST_SYNC_S = 900
SAMPLES = ROOT / "localbedrock" / "samples" / "documents"
ROLE = "arn:aws:iam::000000000000:role/bench"
VECTORS = {
    "type": "S3_VECTORS",
    "s3VectorsConfiguration": {"indexArn": "arn:aws:s3vectors:us-east-1:000000000000:bucket/bench/index/i"},
}
TEAMS = ("north", "south", "east", "west", "night")
PARTS = ("pump", "grinder", "display", "tank", "hinge", "sensor", "cable", "valve", "filter", "motor", "lamp")
SIGNS = (
    "leaks",
    "hums",
    "gets hot",
    "stops",
    "blinks",
    "rattles",
    "smells",
    "sticks",
    "restarts",
    "stays cold",
)
DEEDS = (
    "replaced",
    "cleaned",
    "adjusted",
    "sealed",
    "updated",
    "greased",
    "soldered",
    "exchanged",
    "tightened",
)
PLACES = (
    "kitchen",
    "office",
    "workshop",
    "hotel",
    "school",
    "clinic",
    "ferry",
    "bakery",
    "library",
    "station",
)


class Base:
    """A knowledge base on a bucket of its own, with one data source."""

    def __init__(self, session: Any, name: str) -> None:
        self._s3 = session.client("s3")
        self._agent = session.client("bedrock-agent")
        self.runtime = session.client("bedrock-agent-runtime")
        self.bucket = f"bench-{name}"
        self._s3.create_bucket(Bucket=self.bucket)
        vector = {"embeddingModelArn": model_arn(session, "EMBEDDING")}
        made = self._agent.create_knowledge_base(
            name=f"bench-{name}",
            roleArn=ROLE,
            knowledgeBaseConfiguration={"type": "VECTOR", "vectorKnowledgeBaseConfiguration": vector},
            storageConfiguration=VECTORS,
        )
        self.id = made["knowledgeBase"]["knowledgeBaseId"]
        source = self._agent.create_data_source(
            knowledgeBaseId=self.id,
            name="documents",
            dataSourceConfiguration={
                "type": "S3",
                "s3Configuration": {"bucketArn": f"arn:aws:s3:::{self.bucket}"},
            },
        )
        self._where = {"knowledgeBaseId": self.id, "dataSourceId": source["dataSource"]["dataSourceId"]}

    def upload(self, files: Sequence[tuple[str, bytes]]) -> None:
        """Puts files into the bucket."""

        def put(file: tuple[str, bytes]) -> None:
            self._s3.put_object(Bucket=self.bucket, Key=file[0], Body=file[1])

        with ThreadPoolExecutor(UPLOADS_AT_ONCE) as pool:
            list(pool.map(put, files))

    def sync(self) -> tuple[float, dict[str, int]]:
        """Seconds from StartIngestionJob to its end, and the job's statistics."""
        started = time.perf_counter()
        job = self._agent.start_ingestion_job(**self._where)["ingestionJob"]
        while job["status"] not in ("COMPLETE", "FAILED", "STOPPED"):
            if time.perf_counter() - started > LONGEST_SYNC_S:
                raise TimeoutError(f"a sync takes longer than {LONGEST_SYNC_S} s: {job['statistics']}")
            time.sleep(0.1)
            job = self._agent.get_ingestion_job(**self._where, ingestionJobId=job["ingestionJobId"])[
                "ingestionJob"
            ]
        assert job["status"] == "COMPLETE", job
        return time.perf_counter() - started, job["statistics"]

    def retrieve(self, question: str, search: dict[str, Any]) -> list[dict[str, Any]]:
        """The results of one question."""
        answer = self.runtime.retrieve(
            knowledgeBaseId=self.id,
            retrievalQuery={"text": question},
            retrievalConfiguration={"vectorSearchConfiguration": search},
        )
        results: list[dict[str, Any]] = answer["retrievalResults"]
        return results


def speed(session: Any) -> list[Row]:
    """Ingestion, resync and Retrieve over 10,000 small documents."""
    base = Base(session, "many")
    base.upload(list(many_documents()))
    first_s, statistics = base.sync()
    assert statistics["numberOfNewDocumentsIndexed"] == DOCUMENTS, statistics
    again_s, statistics = base.sync()
    assert statistics["numberOfNewDocumentsIndexed"] == statistics["numberOfModifiedDocumentsIndexed"] == 0
    rows = [
        Row(
            f"knowledge base: ingesting {DOCUMENTS:,} documents",
            f"{first_s:.1f} s",
            f"{DOCUMENTS / first_s:.0f} documents/s",
            "",
            "300 s",
        ),
        Row(
            "knowledge base: sync with nothing changed",
            f"{again_s:.1f} s",
            f"first sync {first_s:.1f} s",
            f"x{again_s / first_s:.2f}",
            "10 s",
        ),
    ]
    hybrid = {"numberOfResults": RESULTS, "overrideSearchType": "HYBRID"}
    searches = {
        "semantic": hybrid | {"overrideSearchType": "SEMANTIC"},
        "hybrid": hybrid,
        "hybrid with a filter": hybrid | {"filter": {"equals": {"key": "team", "value": TEAMS[0]}}},
    }
    return rows + [latency(base, name, search) for name, search in searches.items()]


def latency(base: Base, name: str, search: dict[str, Any]) -> Row:
    """Retrieve, one call after the other, each with another question."""
    times_ms: list[float] = []
    for number in range(WARM_QUERIES + QUERIES):
        part, sign, place = (words[number % len(words)] for words in (PARTS, SIGNS, PLACES))
        started = time.perf_counter()
        results = base.retrieve(f"the {part} {sign} in the {place}, ticket {number * 37:05}", search)
        if number >= WARM_QUERIES:
            times_ms.append(1000 * (time.perf_counter() - started))
        assert len(results) == RESULTS, results
    return Row(
        f"Retrieve: {name}, p50 of {QUERIES} in {DOCUMENTS:,} documents",
        f"{percentile(times_ms, 50):.1f} ms",
        f"p95 {percentile(times_ms, 95):.1f} ms",
        "",
        "100 ms",
    )


def many_documents() -> Iterator[tuple[str, bytes]]:
    """Short service reports, no two alike; every fourth has metadata."""
    mixed = itertools.cycle(itertools.product(PARTS, SIGNS, DEEDS, PLACES))
    for number, (part, sign, deed, place) in zip(range(DOCUMENTS), mixed, strict=False):
        other = PARTS[(number * 7) % len(PARTS)]
        text = (
            f"Service report {number:05}. The {part} of the machine in the {place} {sign}. We looked at the "
            f"{other} as well, and {deed} the {part} after {number % 90 + 5} minutes. "
            f"Code R{number * 7919 % 100_000:05}."
        )
        yield f"reports/{number:05}.txt", text.encode()
        if number % SIDECAR_EVERY == 0:
            team = TEAMS[number // SIDECAR_EVERY % len(TEAMS)]
            attributes = {"metadataAttributes": {"team": team, "number": number}}
            yield f"reports/{number:05}.txt.metadata.json", json.dumps(attributes).encode()


def sample_files() -> list[tuple[str, bytes]]:
    """The sample documents and their metadata."""
    return [(path.name, path.read_bytes()) for path in sorted(SAMPLES.iterdir())]


def quality(session: Any) -> list[Row]:
    """How often the right sample document is found, for each way to search."""
    base = Base(session, "samples")
    base.upload(sample_files())
    _, statistics = base.sync()
    assert statistics["numberOfDocumentsFailed"] == 0, statistics
    semantic = {"numberOfResults": RESULTS, "overrideSearchType": "SEMANTIC"}
    hybrid = semantic | {"overrideSearchType": "HYBRID"}
    reranking = {
        "type": "BEDROCK_RERANKING_MODEL",
        "bedrockRerankingConfiguration": {
            "numberOfRerankedResults": RESULTS,
            "modelConfiguration": {"modelArn": model_arn(session, "rerank")},
        },
    }
    searches = {
        "semantic": semantic,
        "hybrid": hybrid,
        "semantic + rerank": semantic | {"numberOfResults": CANDIDATES, "rerankingConfiguration": reranking},
        "hybrid + rerank": hybrid | {"numberOfResults": CANDIDATES, "rerankingConfiguration": reranking},
    }
    return [row for name, search in searches.items() for row in quality_rows(name, ask_all(base, search))]


def ask_all(base: Base, search: dict[str, Any]) -> list[Outcome]:
    """Every sample question, asked once."""
    return [
        outcome_of(question, results_of(base.retrieve(question.question, search)))
        for question in rag_test_set.sample()
    ]


def quality_rows(name: str, outcomes: Sequence[Outcome]) -> list[Row]:
    """All questions, then each kind."""
    steps = (1, RESULTS)
    groups = {"all": measure(outcomes, steps)} | by_kind(outcomes, steps)
    return [
        Row(
            f"retrieval quality: {name}, {kind} ({found.questions})",
            f"hit rate@{RESULTS} {found.hit_rate[RESULTS]:.1%}",
            f"hit rate@1 {found.hit_rate[1]:.1%}",
            f"MRR {found.mrr:.3f}",
        )
        for kind, found in groups.items()
    ]


def model_arn(session: Any, wanted: str) -> str:
    """The ARN of an embedding or reranking model; one that really runs here first."""
    summaries = session.client("bedrock").list_foundation_models()["modelSummaries"]
    fitting = [
        summary
        for summary in summaries
        if wanted in summary["outputModalities"] or wanted in summary["modelId"]
    ]
    fitting.sort(key=lambda summary: not summary["modelId"].startswith("local."))
    arn: str = fitting[0]["modelArn"]
    return arn
