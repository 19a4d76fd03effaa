"""Tags of resources, by ARN."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from localbedrock.context import Context, Handler
from localbedrock.errors import AwsError, not_found

KIND = "tags"
TAGGABLE = {
    "application-inference-profile": "inference-profile",
    "guardrail": "guardrail",
    "model-invocation-job": "model-invocation-job",
}
"""The store's kind of each type of resource that can be tagged, by the type's name in its ARN."""

MAX_TAGS = 50

Tag = dict[str, str]


def tag_resource(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Adds tags; one whose key exists is replaced."""
    arn = _existing(ctx, params["resourceARN"])
    merged = {tag["key"]: tag for tag in [*_tags(ctx, arn), *params["tags"]]}
    check(list(merged.values()))
    put(ctx, arn, list(merged.values()))
    return {}


def untag_resource(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Removes tags by key; keys that are not there do not matter."""
    arn = _existing(ctx, params["resourceARN"])
    put(ctx, arn, [tag for tag in _tags(ctx, arn) if tag["key"] not in params["tagKeys"]])
    return {}


def list_tags_for_resource(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """All tags of a resource."""
    return {"tags": _tags(ctx, _existing(ctx, params["resourceARN"]))}


def check(tags: Sequence[Tag]) -> None:
    """Raises TooManyTagsException for more than AWS allows."""
    if len(tags) > MAX_TAGS:
        raise AwsError("TooManyTagsException", f"A resource can have at most {MAX_TAGS} tags.")


def put(ctx: Context, arn: str, tags: Sequence[Tag]) -> None:
    """Sets the tags of a resource."""
    ctx.store.put(KIND, arn, {"tags": list(tags)})


def forget(ctx: Context, arn: str) -> None:
    """Removes the tags of a resource that is gone."""
    ctx.store.delete(KIND, arn)


def of(ctx: Context, arn: str) -> dict[str, str]:
    """The tags of a resource as a map."""
    return {tag["key"]: tag["value"] for tag in _tags(ctx, arn)}


def _tags(ctx: Context, arn: str) -> list[Tag]:
    document = ctx.store.get(KIND, arn)
    return list(document["tags"]) if document else []


def _existing(ctx: Context, arn: str) -> str:
    kind, _, resource_id = arn.rpartition(":")[2].partition("/")
    if kind not in TAGGABLE or ctx.store.get(TAGGABLE[kind], resource_id) is None:
        raise not_found("The specified resource Arn was not found. Check the Arn and try your request again.")
    return arn


HANDLERS: dict[str, Handler] = {
    "TagResource": tag_resource,
    "UntagResource": untag_resource,
    "ListTagsForResource": list_tags_for_resource,
}
