"""CountTokens: the input tokens that the same request would then be answered with."""

from __future__ import annotations

from typing import Any

from localbedrock.catalogue import resolve
from localbedrock.context import Context
from localbedrock.errors import validation
from localbedrock.runtime.bodies import read_json
from localbedrock.runtime.converse_request import parse
from localbedrock.runtime.engines import NOT_A_CHAT_MODEL, engine_of
from localbedrock.runtime.families import chat_family


def count_tokens(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """For the request of Converse (`input.converse`) or the body of InvokeModel (`input.invokeModel`)."""
    model = resolve(ctx, params["modelId"])
    given = params["input"]
    if "converse" in given:
        request = parse(model, given["converse"])
    else:
        family = chat_family(model)
        if family is None:
            raise validation(NOT_A_CHAT_MODEL)
        request = family.read(model, read_json(given["invokeModel"]["body"]))
    return {"inputTokens": engine_of(ctx, model).count_tokens(request)}
