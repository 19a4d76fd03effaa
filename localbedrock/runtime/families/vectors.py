"""Vectors of the size and type that a caller asks for."""

from __future__ import annotations

from typing import Any

import numpy as np

from localbedrock.catalogue import FoundationModel
from localbedrock.context import Context
from localbedrock.errors import validation
from localbedrock.runtime.engines import openai_of

Vector = list[float]


def embed(ctx: Context, model: FoundationModel, texts: list[str]) -> tuple[list[Vector], int]:
    """The vectors of the texts, in the size that the model gives, and the tokens of all texts."""
    if model.backend == "openai_embeddings":
        return openai_of(ctx).embed(model.remote_name, texts)
    found = ctx.models.embedder.embed(texts)
    return [list(one.vector) for one in found], sum(one.tokens for one in found)


def fit(vector: Vector, dimensions: int) -> Vector:
    """The vector with zeros behind it. Lengths, dot products and angles between such vectors stay what
    they were.
    """
    if len(vector) > dimensions:
        raise validation(f"The model's vectors have {len(vector)} dimensions: {dimensions} can't hold them.")
    return vector + [0.0] * (dimensions - len(vector))


def as_type(vector: Vector, kind: str) -> list[Any]:
    """Cohere's number formats: float, int8, uint8, and bits packed into signed or unsigned bytes."""
    if kind == "float":
        return vector
    values = np.array(vector)
    if kind in {"int8", "uint8"}:
        scaled = np.clip(np.rint(values * 127), -128, 127).astype(int)
        return list((scaled + (128 if kind == "uint8" else 0)).tolist())
    packed = np.packbits(values > 0)
    return list(packed.tolist() if kind == "ubinary" else (packed.astype(int) - 128).tolist())


def as_bits(vector: Vector) -> list[int]:
    """Titan's binary embedding: one 0 or 1 per dimension."""
    return [int(value > 0) for value in vector]
