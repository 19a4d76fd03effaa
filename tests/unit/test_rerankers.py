"""A reranking model is listed as text in, text out, and is no model to chat with all the same."""

from __future__ import annotations

import pytest

from services.capabilities import capabilities_of


@pytest.mark.parametrize(
    "model_id", ["cohere.rerank-v3-5:0", "amazon.rerank-v1:0", "local.maxsim-rerank-v1:0"]
)
def test_no_picker_of_chat_models_offers_it(model_id: str) -> None:
    assert capabilities_of(model_id).converse is False
