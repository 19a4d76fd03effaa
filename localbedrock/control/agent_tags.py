"""Tags of the resources of ``bedrock-agent``, where they are a map and not a list as in ``bedrock``."""

from __future__ import annotations

from typing import Any

from localbedrock.context import Context, Handler
from localbedrock.control import tags
from localbedrock.errors import not_found, validation


def tag_resource(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Adds tags; one whose key exists is replaced."""
    arn = _existing(ctx, params["resourceArn"])
    put(ctx, arn, tags.of(ctx, arn) | params["tags"])
    return {}


def untag_resource(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Removes tags by key; keys that are not there do not matter."""
    arn = _existing(ctx, params["resourceArn"])
    put(ctx, arn, {key: value for key, value in tags.of(ctx, arn).items() if key not in params["tagKeys"]})
    return {}


def list_tags_for_resource(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """All tags of a resource."""
    return {"tags": tags.of(ctx, _existing(ctx, params["resourceArn"]))}


def put(ctx: Context, arn: str, values: dict[str, str]) -> None:
    """Sets the tags of a resource; ValidationException for more than AWS allows."""
    if len(values) > tags.MAX_TAGS:
        raise validation(f"A resource can have at most {tags.MAX_TAGS} tags.")
    tags.put(ctx, arn, [{"key": key, "value": value} for key, value in values.items()])


def forget(ctx: Context, arn: str) -> None:
    """Removes the tags of a resource that is gone."""
    tags.forget(ctx, arn)


def _existing(ctx: Context, arn: str) -> str:
    knowledge_base = ctx.store.get("knowledge-base", arn.rpartition("/")[2])
    if knowledge_base is not None and knowledge_base["knowledgeBaseArn"] == arn:
        return arn
    prompt_id, _, version = arn.rpartition("/")[2].partition(":")
    document = ctx.store.get("prompt", prompt_id)
    if document is not None:
        found = document["versions"].get(version) if version else document["draft"]
        if found is not None and found["arn"] == arn:
            return arn
    raise not_found("The specified resource Arn was not found. Check the Arn and try your request again.")


HANDLERS: dict[str, Handler] = {
    "TagResource": tag_resource,
    "UntagResource": untag_resource,
    "ListTagsForResource": list_tags_for_resource,
}
