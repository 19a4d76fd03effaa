"""Embeddings: the sizes and types that AWS's models give, made of the local embedder's 256 numbers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from localbedrock.catalogue import _FIXED, FoundationModel
from localbedrock.context import Context
from localbedrock.embeddings import DIMENSIONS, Embedder
from localbedrock.errors import AwsError
from localbedrock.runtime.families import embedding_family, vectors

V1, V2 = "amazon.titan-embed-text-v1", "amazon.titan-embed-text-v2:0"
COHERE_3, COHERE_4 = "cohere.embed-english-v3", "cohere.embed-v4:0"
LOCAL = "local.wordllama-256-v1:0"


@pytest.fixture(scope="module")
def ctx() -> Context:
    models = SimpleNamespace(embedder=Embedder(), openai=None)
    return cast(Context, SimpleNamespace(models=models))


def _model(model_id: str) -> FoundationModel:
    return next(model for model in _FIXED if model.model_id == model_id)


def _embed(ctx: Context, model_id: str, **body: Any) -> dict[str, Any]:
    return embedding_family(_model(model_id))(ctx, _model(model_id), body)[0]


def _dot(first: list[float], second: list[float]) -> float:
    return sum(a * b for a, b in zip(first, second, strict=True))


def test_meaning_is_in_the_vectors(ctx: Context) -> None:
    dog, puppy, tax = (
        _embed(ctx, LOCAL, inputText=text)["embedding"]
        for text in ("a dog runs", "a puppy is running", "income tax return")
    )
    assert _dot(dog, puppy) > _dot(dog, tax) + 0.2
    assert _dot(dog, dog) == pytest.approx(1)


@pytest.mark.parametrize(
    ("model_id", "more", "size"),
    [
        (V1, {}, 1536),
        (V2, {}, 1024),
        (V2, {"dimensions": 256}, 256),
        (V2, {"dimensions": 512, "normalize": True}, 512),
        (LOCAL, {}, DIMENSIONS),
    ],
)
def test_titans_sizes(ctx: Context, model_id: str, more: dict[str, Any], size: int) -> None:
    assert len(_embed(ctx, model_id, inputText="Hello", **more)["embedding"]) == size


def test_a_larger_size_changes_no_similarity(ctx: Context) -> None:
    small = [_embed(ctx, V2, inputText=text, dimensions=256)["embedding"] for text in ("a cat", "two dogs")]
    large = [_embed(ctx, V2, inputText=text)["embedding"] for text in ("a cat", "two dogs")]
    assert _dot(*large) == pytest.approx(_dot(*small))


def test_titans_binary_type(ctx: Context) -> None:
    body = _embed(ctx, V2, inputText="Hello", dimensions=256, embeddingTypes=["binary", "float"])
    assert set(body["embeddingsByType"]["binary"]) == {0, 1}
    assert body["embeddingsByType"]["float"] == body["embedding"]


@pytest.mark.parametrize(
    ("model_id", "body", "words"),
    [
        (V2, {"inputText": "a", "dimensions": 300}, "300 is not a valid enum value"),
        (V2, {"inputText": "a", "embeddingTypes": ["int8"]}, "int8 is not a valid enum value"),
        (V2, {"inputText": " "}, "expected minLength: 1, actual: 0"),
        (V1, {"inputText": "a", "dimensions": 256}, "extraneous key [dimensions]"),
        (
            COHERE_3,
            {"inputText": "a"},
            "required key [texts] not found#: required key [input_type] not found",
        ),
        (COHERE_3, {"texts": ["a"], "input_type": "other"}, "other is not a valid enum value"),
        (COHERE_3, {"texts": ["a"] * 97, "input_type": "search_query"}, "maximum item count: 96, found: 97"),
        (
            COHERE_3,
            {"texts": ["a" * 2049], "input_type": "search_query"},
            "expected maxLength: 2048, actual: 2049",
        ),
        (COHERE_3, {"texts": [1], "input_type": "search_query"}, "expected type: String"),
        (COHERE_3, {"images": ["x"], "input_type": "image"}, "reads text only"),
        (
            COHERE_4,
            {"texts": ["a"], "input_type": "search_query", "output_dimension": 3},
            "3 is not a valid enum",
        ),
    ],
)
def test_what_is_refused(ctx: Context, model_id: str, body: dict[str, Any], words: str) -> None:
    with pytest.raises(AwsError) as caught:
        _embed(ctx, model_id, **body)
    assert words in caught.value.message


def test_coheres_shapes(ctx: Context) -> None:
    three = _embed(ctx, COHERE_3, texts=["a", "b"], input_type="search_document")
    assert [len(vector) for vector in three["embeddings"]] == [1024, 1024]
    assert three["response_type"] == "embeddings_floats"
    typed = _embed(ctx, COHERE_3, texts=["a"], input_type="search_query", embedding_types=["int8", "ubinary"])
    assert len(typed["embeddings"]["ubinary"][0]) == 1024 // 8
    assert all(-128 <= value <= 127 for value in typed["embeddings"]["int8"][0])
    four = _embed(ctx, COHERE_4, texts=["a"], input_type="search_query", output_dimension=512)
    assert [len(vector) for vector in four["embeddings"]["float"]] == [512]


def test_cohere_4_cuts_texts_where_it_is_told_to(ctx: Context) -> None:
    def vector(text: str, **more: Any) -> list[float]:
        body = _embed(ctx, COHERE_4, texts=[text], input_type="search_query", **more)
        return list(body["embeddings"]["float"][0])

    assert vector("cat dog", max_tokens=1, truncate="END") == pytest.approx(vector("cat"))
    assert vector("cat dog", max_tokens=1, truncate="START") == pytest.approx(vector("dog"))
    with pytest.raises(AwsError, match="truncate is NONE"):
        vector("cat dog", max_tokens=1, truncate="NONE")


def test_a_vector_is_never_cut() -> None:
    with pytest.raises(AwsError, match="can't hold them"):
        vectors.fit([0.0] * 300, 256)


def test_a_text_without_tokens_is_a_zero_vector() -> None:
    assert set(Embedder().embed([""])[0].vector) == {0.0}
