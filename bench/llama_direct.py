"""llama.cpp without the house: the text model in a process of its own, called directly.

Reads one JSON object a line, {"prompt", "max_tokens"}, and answers {"first_ms", "tokens", "seconds"}: time to
the first token, and from there to the last. Of the settings only the size of the context is not a default.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import xllamacpp

from localbedrock.text.llama import CONTEXT_TOKENS, PARALLEL, model_file


def load(folder: str) -> Any:
    """The server object; the HTTP interface that it opens is a socket in `folder`."""
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(model_file())
    parameters.n_parallel = PARALLEL
    parameters.n_ctx = PARALLEL * CONTEXT_TOKENS
    parameters.verbosity = -1
    parameters.hostnames = [str(Path(folder) / "llama.sock")]
    return xllamacpp.Server(parameters)


def answer(server: Any, request: dict[str, Any]) -> dict[str, float]:
    """One greedy completion, timed by the arrival of its chunks."""
    arrivals: list[float] = []

    def arrive(chunk: dict[str, Any]) -> bool:
        if any(choice["delta"].get("content") for choice in chunk["choices"]):
            arrivals.append(time.perf_counter())
        return False

    started = time.perf_counter()
    server.handle_chat_completions(
        {
            "messages": [{"role": "user", "content": request["prompt"]}],
            "max_tokens": request["max_tokens"],
            "temperature": 0,
            "stream": True,
        },
        arrive,
    )
    return {
        "first_ms": 1000 * (arrivals[0] - started),
        "tokens": len(arrivals),
        "seconds": arrivals[-1] - arrivals[0],
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        llama = load(folder)
        print("READY", flush=True)
        for line in sys.stdin:
            print(json.dumps(answer(llama, json.loads(line))), flush=True)
