"""A Bedrock that speaks on a schedule: the clock that the app's own delay is measured with.

`python -m bench.bedrock_server` prints `READY URL`. ConverseStream answers with words such as `q7w12e` (word
12 of request 7), each sent at a time fixed in advance. The prompt says how many and how fast: "tokens=400
rate=100 wait=0.2 spread=0.5" (`spread` makes every second request that much longer, every third one twice as
much). `GET /bench/streams` tells when each word was sent. The control plane lists three models, nothing else.
"""

from __future__ import annotations

import itertools
import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.eventstream import CONTENT_TYPE, frame

MODEL_IDS = (
    "anthropic.claude-3-haiku-20240307-v1:0",
    "meta.llama3-8b-instruct-v1:0",
    "mistral.mistral-7b-instruct-v0:2",
)
QUERY_ANSWERS = {
    "GetCallerIdentity": "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:"
    "user/bench</Arn><Account>123456789012</Account><UserId>bench</UserId></GetCallerIdentityResult>"
    "</GetCallerIdentityResponse>",
    "ListAccountAliases": "<ListAccountAliasesResponse><ListAccountAliasesResult><AccountAliases/>"
    "<IsTruncated>false</IsTruncated></ListAccountAliasesResult></ListAccountAliasesResponse>",
}
_number = itertools.count()
_streams: list[dict[str, Any]] = []
_lock = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    """The few operations that the playground needs."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        """Control-plane lists, and what has been sent so far."""
        if self.path == "/bench/streams":
            with _lock:
                return self.answer(json.dumps(_streams))
        return self.answer(json.dumps(control_plane(self.path.split("?")[0])))

    def do_POST(self) -> None:
        """ConverseStream; STS and IAM."""
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path.endswith("/converse-stream"):
            return self.stream(json.loads(body))
        action = re.search(rb"Action=(\w+)", body)
        xml = QUERY_ANSWERS.get(action.group(1).decode() if action else "")
        return self.answer(xml, "text/xml") if xml else self.answer("{}", status=404)

    def answer(self, text: str, content_type: str = "application/json", status: int = 200) -> None:
        """A whole answer."""
        data = text.encode()
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def stream(self, request: dict[str, Any]) -> None:
        """The words, on time, until all are sent or the client has gone."""
        received, number = time.time(), next(_number)
        sent: list[float] = []
        with _lock:
            _streams.append({"number": number, "received": received, "sent": sent})
        plan = schedule(request["messages"][-1]["content"][-1]["text"], number)
        self.send_response(200)
        self.send_header("content-type", CONTENT_TYPE)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        try:
            self.chunk(frame("messageStart", {"role": "assistant"}))
            for index, due in enumerate(plan):
                time.sleep(max(0, received + due - time.time()))
                delta = {"text": f"q{number}w{index}e "}
                sent.append(time.time())
                self.chunk(frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": delta}))
            self.end_of_stream(len(plan), received)
        except ConnectionError:
            self.close_connection = True

    def end_of_stream(self, tokens: int, received: float) -> None:
        """Stop reason and usage, as ConverseStream ends."""
        usage = {"inputTokens": 9, "outputTokens": tokens, "totalTokens": tokens + 9}
        metrics = {"latencyMs": round(1000 * (time.time() - received))}
        self.chunk(frame("contentBlockStop", {"contentBlockIndex": 0}))
        self.chunk(frame("messageStop", {"stopReason": "end_turn"}))
        self.chunk(frame("metadata", {"usage": usage, "metrics": metrics}))
        self.chunk(b"")

    def chunk(self, data: bytes) -> None:
        """One chunk of a chunked answer."""
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))


def schedule(prompt: str, number: int) -> list[float]:
    """Seconds after the request at which each word is due."""
    wish = {"tokens": 100.0, "rate": 100.0, "wait": 0.2, "spread": 0.0}
    wish |= {name: float(value) for name, value in re.findall(r"(tokens|rate|wait|spread)=([\d.]+)", prompt)}
    tokens = int(wish["tokens"] * (1 + wish["spread"] * (number % 3)))
    return [wish["wait"] + index / wish["rate"] for index in range(tokens)]


def control_plane(path: str) -> dict[str, Any]:
    """The answer to a list operation of `bedrock`; all but the foundation models are empty."""
    if path == "/foundation-models":
        return {"modelSummaries": [model_summary(model_id) for model_id in MODEL_IDS]}
    empty = (
        "inferenceProfileSummaries",
        "provisionedModelSummaries",
        "modelSummaries",
        "modelDeploymentSummaries",
    )
    return {name: [] for name in empty}


def model_summary(model_id: str) -> dict[str, Any]:
    """One entry of ListFoundationModels."""
    return {
        "modelArn": f"arn:aws:bedrock:us-east-1::foundation-model/{model_id}",
        "modelId": model_id,
        "modelName": model_id.split(".")[1].split(":")[0],
        "providerName": model_id.split(".")[0].title(),
        "inputModalities": ["TEXT"],
        "outputModalities": ["TEXT"],
        "responseStreamingSupported": True,
        "customizationsSupported": [],
        "inferenceTypesSupported": ["ON_DEMAND"],
        "modelLifecycle": {"status": "ACTIVE"},
    }


class Server(ThreadingHTTPServer):
    """One thread for each connection; they end with the process."""

    daemon_threads = True


if __name__ == "__main__":
    server = Server(("127.0.0.1", 0), Handler)
    print(f"READY http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
