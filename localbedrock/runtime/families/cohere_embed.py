"""Cohere Embed v3 (1024 dimensions) and v4 (256 to 1536). For the vectors' size see `titan_embed`."""

from __future__ import annotations

import uuid
from typing import Any

from localbedrock.catalogue import FoundationModel
from localbedrock.context import Context
from localbedrock.errors import validation
from localbedrock.runtime.bodies import Field, check, malformed
from localbedrock.runtime.families import vectors

_TYPES = ("float", "int8", "uint8", "binary", "ubinary")
_INPUT_TYPES = ("search_document", "search_query", "classification", "clustering", "image")
_MOST_TEXTS, _MOST_CHARACTERS = 96, 2048
_V3_DIMENSIONS = 1024
_V3 = {
    "texts": Field(list, required=True, most=_MOST_TEXTS),
    "input_type": Field(str, required=True, choices=_INPUT_TYPES),
    "truncate": Field(str, choices=("NONE", "START", "END", "LEFT", "RIGHT")),
    "embedding_types": Field(list),
}
_V4 = _V3 | {"output_dimension": Field(int), "max_tokens": Field(int, minimum=1)}
_V4_SIZES = (256, 512, 1024, 1536)


def v3(ctx: Context, model: FoundationModel, body: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Up to 96 texts, 1024 dimensions."""
    _check(body, _V3)
    for place, text in enumerate(body["texts"]):
        if len(text) > _MOST_CHARACTERS:
            raise malformed(f"#/texts/{place}: expected maxLength: {_MOST_CHARACTERS}, actual: {len(text)}")
    found, tokens = _embed(ctx, model, body["texts"], _V3_DIMENSIONS)
    answer = {"id": str(uuid.uuid4()), "texts": body["texts"]}
    types = body.get("embedding_types")
    if types is None:
        return answer | {"embeddings": found, "response_type": "embeddings_floats"}, tokens
    return answer | _by_type(found, types), tokens


def v4(ctx: Context, model: FoundationModel, body: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Up to 96 texts, 256 to 1536 dimensions."""
    _check(body, _V4)
    dimensions = body.get("output_dimension") or _V4_SIZES[-1]
    if dimensions not in _V4_SIZES:
        raise malformed(f"#/output_dimension: {dimensions} is not a valid enum value")
    texts = [_shortened(ctx, text, body) for text in body["texts"]]
    found, tokens = _embed(ctx, model, texts, dimensions)
    answer = {"id": str(uuid.uuid4()), "texts": body["texts"]}
    return answer | _by_type(found, body.get("embedding_types") or ["float"]), tokens


def _check(body: dict[str, Any], fields: dict[str, Field]) -> None:
    for name in ("images", "inputs"):
        if name in body:
            raise validation(f"The local embedder reads text only: {name} can't be embedded here.")
    check(body, fields)
    for place, text in enumerate(body["texts"]):
        if not isinstance(text, str):
            raise malformed(f"#/texts/{place}: expected type: String")


def _shortened(ctx: Context, text: str, body: dict[str, Any]) -> str:
    """The text cut to `max_tokens`, on the side that `truncate` says (the end, unless it says otherwise)."""
    if "max_tokens" not in body:
        return text
    keep = "END" if body.get("truncate") in {"START", "LEFT"} else "START"
    short = ctx.models.embedder.truncate(text, body["max_tokens"], keep=keep)
    if short != text and body.get("truncate") == "NONE":
        raise validation(f"A text is longer than max_tokens ({body['max_tokens']}), and truncate is NONE.")
    return short


def _embed(
    ctx: Context, model: FoundationModel, texts: list[str], dimensions: int
) -> tuple[list[vectors.Vector], int]:
    found, tokens = vectors.embed(ctx, model, texts)
    return [vectors.fit(vector, dimensions) for vector in found], tokens


def _by_type(found: list[vectors.Vector], types: list[str]) -> dict[str, Any]:
    for kind in types:
        if kind not in _TYPES:
            raise malformed(f"#/embedding_types: {kind} is not a valid enum value")
    by_type = {kind: [vectors.as_type(vector, kind) for vector in found] for kind in types}
    return {"embeddings": by_type, "response_type": "embeddings_by_type"}
