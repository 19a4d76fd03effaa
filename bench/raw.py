"""Bare boto3 loops over the streams of the bench's Bedrock: what the page is compared with."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import boto3

from bench import playground
from bench.bedrock_server import MODEL_IDS


@dataclass(frozen=True)
class RawRun:
    """What loops that ran at the same time saw."""

    first_ms: float
    """From the call to the first word, in the quickest loop."""
    delays_ms: list[float]
    """Of every word, from being sent to being read."""


class RawReader:
    """Reads streams as a script of a few lines would."""

    def __init__(self, server_url: str) -> None:
        self._server_url = server_url
        self._client = boto3.client(
            "bedrock-runtime",
            endpoint_url=server_url,
            region_name="us-east-1",
            aws_access_key_id="bench",
            aws_secret_access_key="bench",
        )
        self.run("tokens=1", 1)  # the first call loads what later ones find loaded

    def run(self, prompt: str, loops: int) -> RawRun:
        """Asks `loops` times at once, one thread each, and reads to the end."""
        with ThreadPoolExecutor(loops) as pool:
            results = list(pool.map(self._read, [prompt] * loops))
        sent = {
            f"q{stream['number']}w{index}e": at
            for stream in playground.streams(self._server_url)
            for index, at in enumerate(stream["sent"])
        }
        return RawRun(
            first_ms=1000 * min(min(arrived.values()) - started for started, arrived in results),
            delays_ms=[1000 * (at - sent[word]) for _, arrived in results for word, at in arrived.items()],
        )

    def _read(self, prompt: str) -> tuple[float, dict[str, float]]:
        """When the call began, and when each word was read."""
        started, arrived = time.time(), {}
        message = {"role": "user", "content": [{"text": prompt}]}
        reply = self._client.converse_stream(modelId=MODEL_IDS[0], messages=[message])
        for event in reply["stream"]:
            if delta := event.get("contentBlockDelta"):
                arrived[delta["delta"]["text"].strip()] = time.time()
        return started, arrived
