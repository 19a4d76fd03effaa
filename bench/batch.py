"""A batch of the playground beside a plain pool of threads that makes the same calls with boto3."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from pathlib import Path

import boto3
from botocore.config import Config

from bench.bedrock_server import MODEL_IDS
from bench.report import Row
from services import models
from services.batch_grid import counts
from services.batch_runner import BatchRunner
from services.batch_store import BatchStore
from services.batch_values import Column
from services.clients import default_identity
from services.conversations import Settings
from services.run_store import RunStore

CELLS = 2000
AT_ONCE = 16
PROMPT = "tokens=20 rate=100 wait=0.2"
WARM_CELLS = 64
LIMIT = "x0.9"


def measure(server_url: str) -> list[Row]:
    """The row on throughput; `AWS_*` must lead to the bench's Bedrock at `server_url`."""
    plain = PlainPool(server_url)
    plain.run(WARM_CELLS)  # what only a first call loads is not what is measured here
    batch_of(WARM_CELLS)
    before_s = plain.run(CELLS // 2)
    batch_s = batch_of(CELLS)
    plain_s = before_s + plain.run(CELLS - CELLS // 2)
    return [
        Row(
            f"batch of {CELLS:,} cells, {AT_ONCE} at once",
            f"{CELLS / batch_s:.1f}/s",
            f"boto3 pool {CELLS / plain_s:.1f}/s",
            f"x{plain_s / batch_s:.2f}",
            LIMIT,
        )
    ]


class PlainPool:
    """As many threads, each reading a stream to its end and keeping the text."""

    def __init__(self, server_url: str) -> None:
        self._client = boto3.client(
            "bedrock-runtime",
            endpoint_url=server_url,
            region_name="us-east-1",
            aws_access_key_id="bench",
            aws_secret_access_key="bench",
            config=Config(max_pool_connections=32, retries={"total_max_attempts": 1}),
        )

    def run(self, calls: int) -> float:
        """Seconds for so many calls."""
        started = time.perf_counter()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            texts = list(pool.map(self._ask, range(calls)))
        assert all(texts)
        return time.perf_counter() - started

    def _ask(self, _: int) -> str:
        message = {"role": "user", "content": [{"text": PROMPT}]}
        reply = self._client.converse_stream(modelId=MODEL_IDS[0], messages=[message])
        deltas = (event.get("contentBlockDelta") for event in reply["stream"])
        return "".join(delta["delta"]["text"] for delta in deltas if delta)


def batch_of(cells: int) -> float:
    """Seconds from Start to the last cell being stored; somebody looks at the progress all the while."""
    identity = default_identity()
    models.catalogue(identity)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        runs = RunStore(f"sqlite:///{Path(folder) / 'bench.db'}")
        store = BatchStore(runs)
        batch_id = store.create(
            "bench",
            "bench",
            ["prompt"],
            [[PROMPT]] * cells,
            template="{{prompt}}",
            mapping={"prompt": "prompt"},
            columns=[Column("bench", Settings(model_id=MODEL_IDS[0]))],
            concurrency=AT_ONCE,
            identity=identity,
        )
        batch = store.get(batch_id, "bench")
        assert batch is not None
        runner = BatchRunner(store, batch, identity)
        started = time.perf_counter()
        runner.start()
        while not runner.wait(1.0):
            counts(store.engine, batch_id)
        seconds = time.perf_counter() - started
        assert counts(store.engine, batch_id)["done"] == cells
        runs.close()
    return seconds


if __name__ == "__main__":
    for measured in measure(sys.argv[1]):
        print(json.dumps(astuple(measured)))
