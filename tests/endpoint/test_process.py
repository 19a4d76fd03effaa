"""The process: one line when it serves, state over restarts, a quick and orderly stop, clear sentences at
start.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EventStreamError

from tests.conftest import ROOT, Endpoint
from tests.processes import first_line, stop

MODEL = "anthropic.claude-3-haiku-20240307-v1:0"
COPY = {"copyFrom": f"arn:aws:bedrock:us-east-1::foundation-model/{MODEL}"}


@contextmanager
def started(data_dir: Path, *options: str, **environment: str) -> Iterator[Endpoint]:
    process = subprocess.Popen(
        [sys.executable, "-m", "localbedrock", "--data-dir", str(data_dir), *options],
        cwd=ROOT,
        env=os.environ | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        ready = first_line(process, seconds=120)
        assert ready.startswith("READY "), (ready, process.stderr and process.stderr.read())
        yield Endpoint(ready.split()[1], data_dir, process)
    finally:
        stop(process, signal.SIGKILL)


def fails(data_dir: Path, *options: str) -> str:
    """What an endpoint says that cannot start."""
    done = subprocess.run(
        [sys.executable, "-m", "localbedrock", "--data-dir", str(data_dir), *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    (sentence,) = done.stderr.splitlines()
    return sentence


def say(client: Any, tokens: int = 2) -> Any:
    messages = [{"role": "user", "content": [{"text": "Tell a long story."}]}]
    return client.converse_stream(modelId=MODEL, messages=messages, inferenceConfig={"maxTokens": tokens})


def test_a_restart_keeps_keys_and_state_and_a_kill_keeps_ours(tmp_path: Path) -> None:
    with started(tmp_path) as first:
        keys = first.keys
        profile = first.client("bedrock").create_inference_profile(inferenceProfileName="a", modelSource=COPY)
        first.client("s3").create_bucket(Bucket="kept")
        first.client("s3").put_object(Bucket="kept", Key="k", Body=b"kept")
        first.process.send_signal(signal.SIGTERM)
        assert first.process.wait(10) == 0
    with started(tmp_path) as second:
        assert second.keys == keys
        arn = profile["inferenceProfileArn"]
        assert second.client("bedrock").get_inference_profile(inferenceProfileIdentifier=arn)
        assert second.client("s3").get_object(Bucket="kept", Key="k")["Body"].read() == b"kept"
        other = second.client("bedrock").create_inference_profile(inferenceProfileName="b", modelSource=COPY)
        second.process.kill()
        second.process.wait(10)
    with started(tmp_path) as third:
        bedrock = third.client("bedrock")
        for arn in (profile["inferenceProfileArn"], other["inferenceProfileArn"]):
            assert bedrock.get_inference_profile(inferenceProfileIdentifier=arn)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_ends_open_streams_and_takes_two_seconds_at_most(tmp_path: Path, how: signal.Signals) -> None:
    with started(tmp_path) as endpoint:
        streams = [say(endpoint.client("bedrock-runtime"), 1000)["stream"] for _ in range(2)]
        for stream in streams:
            next(iter(stream))
        told = time.monotonic()
        endpoint.process.send_signal(how)
        for stream in streams:
            with closing(stream), pytest.raises(EventStreamError, match="serviceUnavailableException"):
                list(stream)
        assert endpoint.process.wait(10) == 0
        assert time.monotonic() - told < 2
        assert endpoint.process.stdout is not None
        assert endpoint.process.stderr is not None
        assert endpoint.process.stderr.read() == "", "a normal run and stop say nothing"
    assert not (tmp_path / "localbedrock.log").exists()


def test_the_endpoint_ends_with_its_parent(tmp_path: Path) -> None:
    with started(tmp_path, "--exit-with-parent") as endpoint:
        assert endpoint.process.stdin is not None
        endpoint.process.stdin.close()
        assert endpoint.process.wait(10) == 0


def test_one_data_directory_serves_one_process(tmp_path: Path) -> None:
    with started(tmp_path) as endpoint:
        sentence = fails(tmp_path)
        assert f"in use by process {endpoint.process.pid}" in sentence
        assert "--data-dir" in sentence


def test_a_port_that_is_taken_is_said_in_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        sentence = fails(tmp_path, "--port", str(port))
    assert sentence.startswith(f"Port {port} on 127.0.0.1 is taken")


def test_a_data_directory_that_cannot_be_used_is_said_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot be used" in fails(tmp_path / "file" / "data")


def test_without_an_emulator_chat_still_works_and_the_rest_says_so(tmp_path: Path) -> None:
    with started(tmp_path, LOCALBEDROCK_EMULATOR="none") as endpoint:
        events = list(say(endpoint.client("bedrock-runtime"))["stream"])
        assert any("messageStop" in event for event in events)
        s3 = endpoint.client("s3")
        with pytest.raises(s3.exceptions.ClientError, match="without an emulator"):
            s3.list_buckets()


def test_the_same_port_can_be_taken_again_at_once(tmp_path: Path) -> None:
    with started(tmp_path) as first:
        port = first.url.rpartition(":")[2]
        reading = threading.Thread(target=lambda: list(say(first.client("bedrock-runtime"))["stream"]))
        reading.start()
        reading.join(60)
    with started(tmp_path, "--port", port) as second:
        assert second.url == first.url
