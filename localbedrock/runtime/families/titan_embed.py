"""Amazon Titan Text Embeddings, G1 and V2.

The local embedder gives 256 numbers, which is V2's smallest size. A larger size is the same vector with
zeros behind it: cosine similarity, dot product and distance are those of the 256 numbers, so code that
expects 1024 (V2's default) or 1536 (G1) runs unchanged. Vectors have length 1 whatever `normalize`
says.
"""

from __future__ import annotations

from typing import Any

from localbedrock.catalogue import FoundationModel
from localbedrock.context import Context
from localbedrock.runtime.bodies import Field, check, malformed
from localbedrock.runtime.families import vectors

_MOST_CHARACTERS = 50_000
_G1_DIMENSIONS = 1536
_V1 = {"inputText": Field(str, required=True, most=_MOST_CHARACTERS)}
_V2 = _V1 | {
    "dimensions": Field(int),
    "normalize": Field(bool),
    "embeddingTypes": Field(list),
}
_V2_SIZES = (256, 512, 1024)


def v1(ctx: Context, model: FoundationModel, body: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """One text, 1536 dimensions."""
    check(body, _V1)
    vector, tokens = _embed(ctx, model, body)
    return {"embedding": vectors.fit(vector, _G1_DIMENSIONS), "inputTextTokenCount": tokens}, tokens


def v2(ctx: Context, model: FoundationModel, body: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """One text, 256 to 1024 dimensions, as numbers or bits."""
    check(body, _V2)
    vector, tokens = _embed(ctx, model, body)
    if dimensions := _dimensions(model, body):
        vector = vectors.fit(vector, dimensions)
    types = body.get("embeddingTypes") or ["float"]
    by_type: dict[str, list[Any]] = {}
    for kind in types:
        if kind not in {"float", "binary"}:
            raise malformed(f"#/embeddingTypes: {kind} is not a valid enum value")
        by_type[kind] = vector if kind == "float" else vectors.as_bits(vector)
    answer: dict[str, Any] = {"embedding": vector} if "float" in by_type else {}
    return answer | {"embeddingsByType": by_type, "inputTextTokenCount": tokens}, tokens


def _dimensions(model: FoundationModel, body: dict[str, Any]) -> int | None:
    """The size to fit; None for the model's own. Titan's default is 1024, that of the honest ids their
    own.
    """
    wanted: int | None = body.get("dimensions")
    if wanted is not None and wanted not in _V2_SIZES:
        raise malformed(f"#/dimensions: {wanted} is not a valid enum value")
    if wanted is None and model.provider == "Amazon":
        return _V2_SIZES[-1]
    return wanted


def _embed(ctx: Context, model: FoundationModel, body: dict[str, Any]) -> tuple[vectors.Vector, int]:
    if not body["inputText"].strip():
        raise malformed("#/inputText: expected minLength: 1, actual: 0")
    (vector,), tokens = vectors.embed(ctx, model, [body["inputText"]])
    return vector, tokens
