"""The body formats of InvokeModel, by family of models."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from localbedrock.catalogue import FoundationModel
from localbedrock.context import Context
from localbedrock.errors import validation
from localbedrock.runtime.bodies import malformed
from localbedrock.runtime.engines import for_model
from localbedrock.runtime.families import (
    chat,
    claude,
    cohere_embed,
    command,
    command_r,
    jamba,
    llama,
    mistral,
    nova,
    titan,
    titan_embed,
)
from localbedrock.text.engine import ChatRequest, Event, Reply

Body = dict[str, Any]


@dataclass(frozen=True)
class ChatFamily:
    """How one family of text models writes its requests, answers and stream chunks.

    ``parse`` makes a request of a body (AwsError for a malformed one), ``answer`` makes a body of a
    whole reply, ``stream`` makes chunks of events; it is told the input tokens (0: not known yet).
    """

    parse: Callable[[FoundationModel, Body], ChatRequest]
    answer: Callable[[FoundationModel, Body, Reply], Body]
    stream: Callable[[FoundationModel, Body, int, Iterator[Event]], Iterator[Body]]

    def read(self, model: FoundationModel, body: Body) -> ChatRequest:
        """The request of a body, within the model's limits."""
        try:
            request = self.parse(model, body)
        except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
            # Bodies nest deep; what is not a fault of the outer keys is a wrong shape somewhere inside.
            raise malformed(f"#: the value of a nested key has the wrong shape ({error!r:.100})") from None
        return for_model(request, model)


_CHAT = {
    module.__name__.rpartition(".")[2]: ChatFamily(module.parse, module.answer, module.stream)
    for module in (chat, claude, command, command_r, jamba, llama, mistral, nova, titan)
}

EmbeddingFamily = Callable[[Context, FoundationModel, Body], tuple[Body, int]]
"""Answers a body of texts with a body of vectors, and says how many tokens the texts had."""

_EMBEDDING: dict[str, EmbeddingFamily] = {
    "titan_embed_v1": titan_embed.v1,
    "titan_embed_v2": titan_embed.v2,
    "cohere_embed_v3": cohere_embed.v3,
    "cohere_embed_v4": cohere_embed.v4,
}


def chat_family(model: FoundationModel) -> ChatFamily | None:
    """The family of a text model; None for an embedding or reranking model."""
    return _CHAT.get(model.family)


def embedding_family(model: FoundationModel) -> EmbeddingFamily:
    """The family of an embedding model; ValidationException for a reranking model."""
    if model.backend == "reranker":
        raise validation(
            "The local endpoint reranks with the Rerank operation of bedrock-agent-runtime alone."
        )
    return _EMBEDDING[model.family]
