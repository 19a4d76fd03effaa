"""The embedding model of a knowledge base."""

from __future__ import annotations

from typing import Any

from localbedrock.catalogue import FoundationModel, resolve
from localbedrock.context import Context
from localbedrock.embeddings import DIMENSIONS
from localbedrock.errors import validation
from localbedrock.runtime.families import vectors

_SIZES = {
    "titan_embed_v1": (1536,),
    "titan_embed_v2": (1024, 512, 256),
    "cohere_embed_v3": (1024,),
    "cohere_embed_v4": (1536, 1024, 512, 256),
}
"""The sizes of vectors that a family of models gives on AWS, its default first."""


def model_of(ctx: Context, configuration: dict[str, Any]) -> FoundationModel:
    """The model that a VectorKnowledgeBaseConfiguration names.

    ValidationException for a model that makes no embeddings or whose vectors cannot be as asked.
    """
    arn = configuration["embeddingModelArn"]
    model = resolve(ctx, arn)
    if "EMBEDDING" not in model.output_modalities:
        raise validation(f"The model {arn} makes no embeddings: a knowledge base needs an embedding model.")
    asked = _asked(configuration)
    if asked.get("embeddingDataType", "FLOAT32") != "FLOAT32":
        raise validation("The local endpoint keeps vectors as FLOAT32: embeddingDataType can't be BINARY.")
    sizes = sizes_of(model)
    wanted = asked.get("dimensions")
    if wanted is not None and sizes and wanted not in sizes:
        given = ", ".join(map(str, sizes))
        raise validation(f"The model {model.model_id} makes vectors of {given} dimensions, not of {wanted}.")
    return model


def sizes_of(model: FoundationModel) -> tuple[int, ...]:
    """The sizes that the model's vectors can have, the default first; () where only the model knows."""
    if model.backend == "openai_embeddings":
        return ()
    return (DIMENSIONS,) if model.provider == "Local" else _SIZES.get(model.family, ())


def dimensions(ctx: Context, configuration: dict[str, Any]) -> int | None:
    """The size of the vectors that AWS would write into the index; None where only the model knows."""
    sizes = sizes_of(model_of(ctx, configuration))
    size: int | None = _asked(configuration).get("dimensions") or (sizes[0] if sizes else None)
    return size


def embed(ctx: Context, knowledge_base: dict[str, Any], texts: list[str]) -> list[vectors.Vector]:
    """The texts' vectors as they are kept: in the size that the model behind gives."""
    configuration = knowledge_base["knowledgeBaseConfiguration"]["vectorKnowledgeBaseConfiguration"]
    return vectors.embed(ctx, model_of(ctx, configuration), texts)[0]


def _asked(configuration: dict[str, Any]) -> dict[str, Any]:
    members = configuration.get("embeddingModelConfiguration", {})
    asked: dict[str, Any] = members.get("bedrockEmbeddingModelConfiguration", {})
    return asked
