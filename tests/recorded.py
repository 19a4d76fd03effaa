"""Recorded AWS traffic of `bedrock-runtime`, ready to be served again byte for byte."""

from __future__ import annotations

import functools
import importlib.util
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.eventstream import CONTENT_TYPE, frame
from tests.scripted_server import Exchange

READABLE = (".yaml", ".yml", ".yaml.gz", ".json", ".log", ".jsonl", ".chunks.txt", ".eventstream.base64.txt")


@dataclass(frozen=True)
class Recording:
    """One recorded answer: the bytes to serve, and what botocore itself makes of them."""

    name: str
    operation: str
    status: int
    headers: dict[str, str]
    body: bytes
    decoded: Any

    @property
    def streams(self) -> bool:
        return self.operation in ("ConverseStream", "InvokeModelWithResponseStream") and self.status < 300

    @property
    def frame_ends(self) -> list[int]:
        """Where each frame of a stream ends."""
        ends = [0]
        while ends[-1] < len(self.body):
            ends.append(ends[-1] + int.from_bytes(self.body[ends[-1] : ends[-1] + 4], "big"))
        return ends[1:]

    def serve(self, exchange: Exchange) -> None:
        """Answer with the recorded bytes; streams in pieces that do not respect the frames."""
        kept = {
            name: value
            for name, value in self.headers.items()
            if name.startswith("x-amzn-") and value.isprintable() and value.isascii()
        }
        if not self.streams:
            exchange.answer(self.body, status=self.status, headers=kept)
            return
        exchange.start_stream({**kept, "content-type": self.headers.get("content-type", CONTENT_TYPE)})
        for at in range(0, len(self.body), 700):
            exchange.send(self.body[at : at + 700])
        exchange.end()


def read(folder: Path, *names: str) -> list[Recording]:
    """The recordings that botocore can read in these files of the folder, or in all of them."""
    if names:
        files = [folder / name for name in names]
    else:
        files = sorted(path for path in folder.rglob("*") if path.name.endswith(READABLE))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the reader leaves files to the garbage collector
        return [recording for path in files for recording in _read(decoder_of(folder), path, folder)]


@functools.cache
def decoder_of(folder: Path) -> ModuleType:
    """The recordings' own reader."""
    spec = importlib.util.spec_from_file_location("recordings_decode", folder / "decode.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


def _read(decode: ModuleType, path: Path, folder: Path) -> list[Recording]:
    recordings = []
    for number, interaction in enumerate(decode.interactions(str(path))):
        decoded = decode.decode(interaction)
        if decoded.service == "bedrock-runtime" and decoded.ok:
            body = interaction.body
            if interaction.kind == "events":
                body = b"".join(
                    frame(name, data) for event in interaction.data for name, data in event.items()
                )
            recordings.append(
                Recording(
                    name=f"{path.relative_to(folder)}[{number}]",
                    operation=decoded.operation,
                    status=interaction.status,
                    headers=interaction.headers,
                    body=body,
                    decoded=decoded,
                )
            )
    return recordings
