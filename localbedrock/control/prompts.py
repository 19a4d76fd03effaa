"""Prompt Management of ``bedrock-agent``: a prompt has one DRAFT that changes and versions that never do.

A prompt is kept in the store (kind ``prompt``, by its id) as ``{"draft", "versions", "last"}``: the draft and
the versions as GetPrompt answers them, with times as ISO 8601 text; ``last`` is the highest number given so
far, which is not given again when that version is deleted.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from localbedrock import templates
from localbedrock.context import Context, Handler
from localbedrock.control import agent_tags
from localbedrock.errors import AwsError, conflict, not_found, validation
from localbedrock.wire.paging import page

KIND = "prompt"
DRAFT = "DRAFT"

_TOKENS = "prompt-token"
_TIMES = ("createdAt", "updatedAt")
_CONTENT = ("name", "description", "customerEncryptionKeyArn", "defaultVariant", "variants")
_SUMMARY = ("name", "description", "id", "arn", "version", "createdAt", "updatedAt")
_PAGE = 10
"""The most that AWS returns in one page, whatever ``maxResults`` says."""

Version = dict[str, Any]


def create_prompt(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """A new prompt with a DRAFT."""
    token = params.get("clientToken", "")
    if known := _made_with(ctx, token):
        return known
    check(params)
    _check_name(ctx, params["name"])
    prompt_id = "".join(secrets.choice(string.ascii_uppercase + string.digits) for _ in range(10))
    arn = f"arn:aws:bedrock:{ctx.region}:{ctx.account_id}:prompt/{prompt_id}"
    now = _now()
    draft = _content(params) | {
        "id": prompt_id,
        "arn": arn,
        "version": DRAFT,
        "createdAt": now,
        "updatedAt": now,
    }
    agent_tags.put(ctx, arn, params.get("tags", {}))
    ctx.store.put(KIND, prompt_id, {"draft": draft, "versions": {}, "last": 0})
    _remember(ctx, token, prompt_id, DRAFT)
    return _with_times(draft)


def get_prompt(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """The DRAFT, or the version that ``promptVersion`` or the ARN names."""
    prompt_id, version = _parse(ctx, params["promptIdentifier"], params.get("promptVersion"))
    found = _with_times(find(ctx, prompt_id, version))
    if params.get("includedData") == "METADATA_ONLY":
        found.pop("variants", None)
    return found


def list_prompts(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Every prompt's DRAFT; with ``promptIdentifier`` one prompt's DRAFT and versions."""
    if "promptIdentifier" in params:
        prompt_id, _ = _parse(ctx, params["promptIdentifier"], None)
        document = _document(ctx, prompt_id)
        listed = [document["draft"], *document["versions"].values()]
    else:
        listed = [document["draft"] for document in _of_region(ctx)]
    size = min(params.get("maxResults", _PAGE), _PAGE)
    items, more = page(listed, params | {"maxResults": size}, lambda item: str(item["arn"]))
    summaries = [{name: item[name] for name in _SUMMARY if name in item} for item in map(_with_times, items)]
    return {"promptSummaries": summaries} | more


def update_prompt(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Replaces the DRAFT's content: what is not given is gone."""
    prompt_id = _without_version(ctx, params["promptIdentifier"], "UpdatePrompt changes the DRAFT")
    check(params)
    _document(ctx, prompt_id)
    _check_name(ctx, params["name"], but=prompt_id)

    def change(document: dict[str, Any] | None) -> dict[str, Any]:
        if document is None:
            raise _unknown()
        kept = {name: document["draft"][name] for name in ("id", "arn", "version", "createdAt")}
        return document | {"draft": _content(params) | kept | {"updatedAt": _now()}}

    return _with_times(ctx.store.update(KIND, prompt_id, change)["draft"])


def create_prompt_version(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """A numbered copy of the DRAFT."""
    prompt_id = _without_version(ctx, params["promptIdentifier"], "A version is made of the DRAFT")
    token = params.get("clientToken", "")
    if known := _made_with(ctx, token):
        return known
    _document(ctx, prompt_id)

    def change(document: dict[str, Any] | None) -> dict[str, Any]:
        if document is None:
            raise _unknown()
        number = document["last"] + 1
        draft, now = document["draft"], _now()
        made = draft | {
            "arn": f"{draft['arn']}:{number}",
            "version": str(number),
            "createdAt": now,
            "updatedAt": now,
        }
        if "description" in params:
            made["description"] = params["description"]
        return document | {"versions": document["versions"] | {str(number): made}, "last": number}

    document = ctx.store.update(KIND, prompt_id, change)
    made: Version = document["versions"][str(document["last"])]
    agent_tags.put(ctx, made["arn"], params.get("tags", {}))
    _remember(ctx, token, prompt_id, made["version"])
    return _with_times(made)


def delete_prompt(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Deletes one version, or the prompt with all of them."""
    prompt_id, version = _parse(ctx, params["promptIdentifier"], params.get("promptVersion"))
    found = find(ctx, prompt_id, version)
    if version != DRAFT:

        def change(document: dict[str, Any] | None) -> dict[str, Any]:
            if document is None:
                raise _unknown()
            left = {number: made for number, made in document["versions"].items() if number != version}
            return document | {"versions": left}

        ctx.store.update(KIND, prompt_id, change)
        agent_tags.forget(ctx, found["arn"])
        return {"id": prompt_id, "version": version}
    for item in [found, *_document(ctx, prompt_id)["versions"].values()]:
        agent_tags.forget(ctx, item["arn"])
    ctx.store.delete(KIND, prompt_id)
    return {"id": prompt_id}


def of_arn(ctx: Context, arn: str) -> Version:
    """The version that an ARN names (without a number the DRAFT); ResourceNotFoundException for none."""
    return find(ctx, *_parse(ctx, arn, None))


def find(ctx: Context, prompt_id: str, version: str) -> Version:
    """One version as it is stored; ResourceNotFoundException if there is none."""
    document = _document(ctx, prompt_id)
    found: Version | None = document["draft"] if version == DRAFT else document["versions"].get(version)
    if found is None:
        raise not_found(f"The version {version} of the prompt {prompt_id} does not exist.")
    return found


def check(params: Mapping[str, Any]) -> None:
    """Raises ValidationException for content that contradicts itself."""
    variants = params.get("variants", [])
    names = [variant["name"] for variant in variants]
    if len(set(names)) < len(names):
        raise validation("The names of a prompt's variants must be unique.")
    default = params.get("defaultVariant")
    if default is not None and default not in names:
        raise validation(
            f"The default variant {default} must match the name of one of the prompt's variants."
        )
    for variant in variants:
        _check_variant(variant)


def _check_variant(variant: dict[str, Any]) -> None:
    name, template = variant["name"], variant["templateConfiguration"]
    kind = variant["templateType"].lower()
    if kind not in template:
        raise validation(f"The variant {name} has the template type {kind.upper()} but no {kind} template.")
    if "modelId" in variant and "genAiResource" in variant:
        raise validation(f"The variant {name} must have either a modelId or a genAiResource, not both.")
    declared = templates.declared(template)
    if len(set(declared)) < len(declared):
        raise validation(f"The input variables of the variant {name} must have unique names.")
    if missing := sorted(templates.used(template) - set(declared)):
        raise validation(
            f"The variant {name} uses variables that its inputVariables do not declare: {', '.join(missing)}."
        )


def _check_name(ctx: Context, name: str, but: str = "") -> None:
    if any(doc["draft"]["name"] == name and doc["draft"]["id"] != but for doc in _of_region(ctx)):
        raise conflict(f"A prompt with the name {name} exists already.")


def _parse(ctx: Context, identifier: str, version: str | None) -> tuple[str, str]:
    """The id and the version of an identifier: an id, or an ARN with or without a version."""
    prefix, _, name = identifier.rpartition("/")
    if prefix and prefix != f"arn:aws:bedrock:{ctx.region}:{ctx.account_id}:prompt":
        raise _unknown()
    prompt_id, _, of_arn = name.partition(":")
    if version and of_arn and version != of_arn:
        raise validation(f"The ARN names the version {of_arn}, but promptVersion is {version}.")
    return prompt_id, version or of_arn or DRAFT


def _without_version(ctx: Context, identifier: str, why: str) -> str:
    prompt_id, version = _parse(ctx, identifier, None)
    if version != DRAFT:
        raise validation(f"{why}: the prompt identifier can't have a version.")
    return prompt_id


def _document(ctx: Context, prompt_id: str) -> dict[str, Any]:
    document = ctx.store.get(KIND, prompt_id)
    if document is None or not _here(ctx, document):
        raise _unknown()
    return document


def _of_region(ctx: Context) -> list[dict[str, Any]]:
    return [document for document in ctx.store.list(KIND) if _here(ctx, document)]


def _here(ctx: Context, document: dict[str, Any]) -> bool:
    return str(document["draft"]["arn"]).startswith(f"arn:aws:bedrock:{ctx.region}:")


def _unknown() -> AwsError:
    return not_found("The specified prompt does not exist. Check the prompt identifier and try again.")


def _made_with(ctx: Context, token: str) -> Version | None:
    """What an earlier request with the same token made, while it exists."""
    made = ctx.store.get(_TOKENS, token) if token else None
    document = ctx.store.get(KIND, made["id"]) if made else None
    if made is None or document is None:
        return None
    found = document["draft"] if made["version"] == DRAFT else document["versions"].get(made["version"])
    return _with_times(found) if found else None


def _remember(ctx: Context, token: str, prompt_id: str, version: str) -> None:
    if token:
        ctx.store.put(_TOKENS, token, {"id": prompt_id, "version": version})


def _content(params: Mapping[str, Any]) -> Version:
    return {"variants": []} | {name: params[name] for name in _CONTENT if name in params}


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _with_times(version: Version) -> Version:
    return version | {name: datetime.fromisoformat(version[name]) for name in _TIMES}


HANDLERS: dict[str, Handler] = {
    "CreatePrompt": create_prompt,
    "GetPrompt": get_prompt,
    "ListPrompts": list_prompts,
    "UpdatePrompt": update_prompt,
    "CreatePromptVersion": create_prompt_version,
    "DeletePrompt": delete_prompt,
}
