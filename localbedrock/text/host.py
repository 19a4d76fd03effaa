"""The models this machine holds, loaded once per process and shared by every request."""

from __future__ import annotations

import os

from localbedrock.embeddings import Embedder
from localbedrock.text.engine import Engine
from localbedrock.text.llama import LlamaEngine
from localbedrock.text.openai_compatible import OpenAICompatible


class ModelHost:
    """Holds the llama.cpp engine, the embedder and the optional OpenAI-compatible server.

    Safe to use from many threads.
    """

    def __init__(self, llama: Engine, embedder: Embedder, openai: OpenAICompatible | None = None) -> None:
        self.llama = llama
        self.embedder = embedder
        self.openai = openai

    @classmethod
    def load(cls, openai_url: str | None = None) -> ModelHost:
        """Load the local models (about a second).

        ``openai_url`` is the base of an OpenAI-compatible server, e.g. ``http://127.0.0.1:11434/v1``;
        its key is ``LOCALBEDROCK_OPENAI_KEY`` of the environment. The server need not be up: its models
        are listed when someone asks for them.
        """
        key = os.environ.get("LOCALBEDROCK_OPENAI_KEY")
        openai = OpenAICompatible(openai_url, key) if openai_url else None
        return cls(LlamaEngine(), Embedder(), openai)

    def close(self) -> None:
        """Free the models. Requests still running are cancelled."""
        self.llama.close()
        if self.openai is not None:
            self.openai.close()
