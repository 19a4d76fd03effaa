"""Guardrails as resources of ``bedrock``: one DRAFT that changes, and versions that never do.

A guardrail is kept in the store (kind ``guardrail``, by its id) as ``{"draft", "versions", "last"}``: the
draft and the versions as GetGuardrail answers them, with times as ISO 8601 text; ``last`` is the highest
number given so far, which is not given again when that version is deleted.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from localbedrock.context import Context, Handler
from localbedrock.control import tags
from localbedrock.errors import AwsError, conflict, not_found, validation
from localbedrock.guardrails.configuration import policies_of
from localbedrock.wire.paging import page

KIND = "guardrail"
DRAFT = "DRAFT"
NO_GUARDRAIL = "The guardrail identifier or version provided in the request does not exist."
"""What every operation of ``bedrock-runtime`` says of a guardrail that is not there."""

MAX_GUARDRAILS = 100
MAX_VERSIONS = 20

_TOKENS = "guardrail-token"
_TIMES = ("createdAt", "updatedAt")
_TEXTS = ("name", "description", "blockedInputMessaging", "blockedOutputsMessaging")
_KEPT = ("guardrailId", "guardrailArn", "version", "status", "createdAt")
_SUMMARY = {"guardrailId": "id", "guardrailArn": "arn"} | {
    name: name
    for name in ("status", "name", "description", "version", "crossRegionDetails", "createdAt", "updatedAt")
}

Guardrail = dict[str, Any]


def find(ctx: Context, identifier: str, version: str) -> Guardrail:
    """A version (``DRAFT`` or a number) of a guardrail, named by id or ARN, as GetGuardrail answers it.

    ValidationException, as the operations of ``bedrock-runtime`` say it, for one that does not exist.
    """
    try:
        return _with_times(_version(_document(ctx, identifier), version))
    except AwsError:
        raise validation(NO_GUARDRAIL) from None


def create_guardrail(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """A new guardrail with a DRAFT, ready at once."""
    token = params.get("clientRequestToken", "")
    known = _made_with(ctx, token)
    if known is None:
        known = _create(ctx, params)
        _remember(ctx, token, known)
    return {name: known[name] for name in ("guardrailId", "guardrailArn", "version")} | {
        "createdAt": datetime.fromisoformat(known["createdAt"])
    }


def _create(ctx: Context, params: dict[str, Any]) -> Guardrail:
    content = _content(ctx, params)
    tags.check(params.get("tags", []))
    _check_name(ctx, params["name"])
    if len(_of_region(ctx)) >= MAX_GUARDRAILS:
        raise _quota(f"An account can have at most {MAX_GUARDRAILS} guardrails in a region.")
    guardrail_id = "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(12))
    arn = f"arn:aws:bedrock:{ctx.region}:{ctx.account_id}:guardrail/{guardrail_id}"
    now = _now()
    draft = content | {
        "guardrailId": guardrail_id,
        "guardrailArn": arn,
        "version": DRAFT,
        "status": "READY",
        "createdAt": now,
        "updatedAt": now,
    }
    tags.put(ctx, arn, params.get("tags", []))
    ctx.store.put(KIND, guardrail_id, {"draft": draft, "versions": {}, "last": 0})
    return draft


def get_guardrail(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """The DRAFT, or the version that ``guardrailVersion`` names."""
    document = _document(ctx, params["guardrailIdentifier"])
    return _with_times(_version(document, params.get("guardrailVersion", DRAFT)))


def list_guardrails(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Every guardrail's DRAFT; with ``guardrailIdentifier`` one guardrail's DRAFT and versions."""
    if "guardrailIdentifier" in params:
        document = _document(ctx, params["guardrailIdentifier"])
        listed = [document["draft"], *document["versions"].values()]
    else:
        listed = [document["draft"] for document in _of_region(ctx)]
    items, more = page(listed, params, lambda item: f"{item['guardrailId']}:{item['version']}")
    return {"guardrails": [_summary(item) for item in items]} | more


def update_guardrail(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Replaces the DRAFT's content: what is not given is gone."""
    guardrail_id = _document(ctx, params["guardrailIdentifier"])["draft"]["guardrailId"]
    content = _content(ctx, params)
    _check_name(ctx, params["name"], but=guardrail_id)

    def change(document: dict[str, Any] | None) -> dict[str, Any]:
        if document is None:
            raise _unknown()
        kept = {name: document["draft"][name] for name in _KEPT}
        return document | {"draft": content | kept | {"updatedAt": _now()}}

    draft = _with_times(ctx.store.update(KIND, guardrail_id, change)["draft"])
    return {name: draft[name] for name in ("guardrailId", "guardrailArn", "version", "updatedAt")}


def create_guardrail_version(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """A numbered copy of the DRAFT."""
    guardrail_id = _document(ctx, params["guardrailIdentifier"])["draft"]["guardrailId"]
    token = params.get("clientRequestToken", "")
    known = _made_with(ctx, token)
    if known is None:
        known = _create_version(ctx, guardrail_id, params)
        _remember(ctx, token, known)
    return {"guardrailId": known["guardrailId"], "version": known["version"]}


def _create_version(ctx: Context, guardrail_id: str, params: Mapping[str, Any]) -> Guardrail:
    def change(document: dict[str, Any] | None) -> dict[str, Any]:
        if document is None:
            raise _unknown()
        if len(document["versions"]) >= MAX_VERSIONS:
            raise _quota(f"A guardrail can have at most {MAX_VERSIONS} versions.")
        number, now = document["last"] + 1, _now()
        made = document["draft"] | {"version": str(number), "createdAt": now, "updatedAt": now}
        if "description" in params:
            made["description"] = params["description"]
        return document | {"versions": document["versions"] | {str(number): made}, "last": number}

    document = ctx.store.update(KIND, guardrail_id, change)
    made: Guardrail = document["versions"][str(document["last"])]
    return made


def delete_guardrail(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Deletes one version, or the guardrail with all of them."""
    found = _document(ctx, params["guardrailIdentifier"])
    guardrail_id = found["draft"]["guardrailId"]
    if "guardrailVersion" in params:
        number = params["guardrailVersion"]

        def change(document: dict[str, Any] | None) -> dict[str, Any]:
            if document is None:
                raise _unknown()
            _version(document, number)
            left = {name: made for name, made in document["versions"].items() if name != number}
            return document | {"versions": left}

        ctx.store.update(KIND, guardrail_id, change)
    else:
        tags.forget(ctx, found["draft"]["guardrailArn"])
        ctx.store.delete(KIND, guardrail_id)
    return {}


def _document(ctx: Context, identifier: str) -> dict[str, Any]:
    """A guardrail with its versions, by id or ARN; ResourceNotFoundException for none."""
    prefix, _, guardrail_id = identifier.rpartition("/")
    document = ctx.store.get(KIND, guardrail_id)
    if document is None or not _here(ctx, document):
        raise _unknown()
    if prefix and document["draft"]["guardrailArn"] != identifier:
        raise _unknown()
    return document


def _version(document: Mapping[str, Any], version: str) -> Guardrail:
    versions: dict[str, Guardrail] = document["versions"] | {DRAFT: document["draft"]}
    found = versions.get(version)
    if found is None:
        raise _unknown()
    return found


def _of_region(ctx: Context) -> list[dict[str, Any]]:
    return [document for document in ctx.store.list(KIND) if _here(ctx, document)]


def _here(ctx: Context, document: Mapping[str, Any]) -> bool:
    return str(document["draft"]["guardrailArn"]).startswith(f"arn:aws:bedrock:{ctx.region}:")


def _check_name(ctx: Context, name: str, but: str = "") -> None:
    for document in _of_region(ctx):
        if document["draft"]["name"] == name and document["draft"]["guardrailId"] != but:
            raise conflict(f"Another guardrail in your account already has the name {name}.")


def _content(ctx: Context, params: Mapping[str, Any]) -> Guardrail:
    """What the caller decides of a guardrail."""
    content: Guardrail = {name: params[name] for name in _TEXTS if name in params}
    if "kmsKeyId" in params:
        content["kmsKeyArn"] = _key_arn(ctx, params["kmsKeyId"])
    if "crossRegionConfig" in params:
        named = params["crossRegionConfig"]["guardrailProfileIdentifier"]
        profile_id = named.rpartition("/")[2]
        arn = f"arn:aws:bedrock:{ctx.region}:{ctx.account_id}:guardrail-profile/{profile_id}"
        content["crossRegionDetails"] = {"guardrailProfileId": profile_id, "guardrailProfileArn": arn}
    return content | policies_of(params)


def _key_arn(ctx: Context, key: str) -> str:
    if "alias/" in key:
        raise validation("Name the KMS key by its id or ARN: aliases cannot be resolved here.")
    return key if key.startswith("arn:") else f"arn:aws:kms:{ctx.region}:{ctx.account_id}:key/{key}"


def _made_with(ctx: Context, token: str) -> Guardrail | None:
    """What an earlier request with the same token made, while it exists."""
    made = ctx.store.get(_TOKENS, token) if token else None
    document = ctx.store.get(KIND, made["id"]) if made else None
    if made is None or document is None:
        return None
    versions: dict[str, Guardrail] = document["versions"] | {DRAFT: document["draft"]}
    return versions.get(made["version"])


def _remember(ctx: Context, token: str, made: Guardrail) -> None:
    if token:
        ctx.store.put(_TOKENS, token, {"id": made["guardrailId"], "version": made["version"]})


def _summary(item: Guardrail) -> dict[str, Any]:
    timed = _with_times(item)
    return {shown: timed[name] for name, shown in _SUMMARY.items() if name in timed}


def _with_times(version: Guardrail) -> Guardrail:
    return version | {name: datetime.fromisoformat(version[name]) for name in _TIMES}


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _unknown() -> AwsError:
    return not_found(
        "The specified guardrail, or the version of it, does not exist. Check the identifier and try again."
    )


def _quota(message: str) -> AwsError:
    return AwsError("ServiceQuotaExceededException", message)


HANDLERS: dict[str, Handler] = {
    "CreateGuardrail": create_guardrail,
    "GetGuardrail": get_guardrail,
    "ListGuardrails": list_guardrails,
    "UpdateGuardrail": update_guardrail,
    "CreateGuardrailVersion": create_guardrail_version,
    "DeleteGuardrail": delete_guardrail,
}
