"""What AWS's access errors are about: the IAM statement that allows a call to a model, and the model's ARNs.

Sources: the Service Authorization Reference of Amazon Bedrock, and "Prerequisites for inference profiles": a
call through a profile needs the profile's ARN, and the model's ARN in every region where it may run.
"""

from __future__ import annotations

import re
from typing import Any

from services import model_ids

_MODEL_ACTIONS = {
    "Converse": "bedrock:InvokeModel",
    "InvokeModel": "bedrock:InvokeModel",
    "ConverseStream": "bedrock:InvokeModelWithResponseStream",
    "InvokeModelWithResponseStream": "bedrock:InvokeModelWithResponseStream",
    "CountTokens": "bedrock:CountTokens",
}
_DENIAL = re.compile(
    r"not authorized to perform:? (?P<action>[\w-]+:\w+)(?: on resource: (?P<resource>arn:\S+))?"
)
_ACCOUNT = re.compile(r"arn:aws[a-z-]*:[a-z-]+:[a-z0-9-]*:(\d{12}):")
# AWS made apac. profiles for these only; models since Claude 4.5 and Nova 2 have global. ones there.
_APAC_MODELS = re.compile(r"amazon\.nova-(micro|lite|pro)-v1|anthropic\.claude-(3|sonnet-4-2025)")


def missing_statement(message: str, operation: str, model_id: str, region: str) -> dict[str, Any] | None:
    """The statement whose absence AWS reports in `message`, or None where neither it nor the call tells.

    AWS names the first resource that is not allowed; a call through an inference profile would then fail at
    the next, so the statement of a model call holds all of them.
    """
    if "aws-marketplace:" in message:
        return _allow(["aws-marketplace:ViewSubscriptions", "aws-marketplace:Subscribe"], ["*"])
    named = _DENIAL.search(message)
    action = named["action"] if named else _MODEL_ACTIONS.get(operation)
    if not action:
        return None
    resources = []
    if named and named["resource"]:
        resources.append(named["resource"].rstrip(".,\"'"))
    if action in _MODEL_ACTIONS.values() and model_id:
        account = _ACCOUNT.search(message)
        needed = model_resources(model_id, region, account[1] if account else "*")
        resources = needed + [arn for arn in resources if not _covered(arn, needed)]
    return _allow([action], resources or ["*"])


def model_resources(model_id: str, region: str, account: str = "*") -> list[str]:
    """The ARNs that a policy must allow for calls to this id or ARN; "*" for what the id does not tell."""
    prefix = f"arn:{_partition(region)}:bedrock"
    models = f"{prefix}:*::foundation-model/"  # "*" fits the empty region of global. profiles, too
    parsed = model_ids.parse_or_none(model_id)
    kind = parsed.kind if parsed else ""
    if kind == "application_profile":
        own, behind = f"{prefix}:{region}:{account}:application-inference-profile/{model_id}", ["*"]
    elif kind == "inference_profile" and parsed:
        own, behind = f"{prefix}:{region}:{account}:inference-profile/{model_id}", [parsed.base]
    else:
        own, behind = f"{prefix}:{region}::foundation-model/{model_id}", []
    return [model_id if model_id.startswith("arn:") else own, *(models + name for name in behind)]


def inference_profile(model_id: str, region: str) -> str | None:
    """The ID of the profile that most likely contains a foundation model, by AWS's naming; the list of
    inference profiles has the last word. None for ids that are no foundation model's.
    """
    parsed = model_ids.parse_or_none(model_id)
    if parsed is None or parsed.kind != "foundation":
        return None
    area = region.partition("-")[0]
    if region.startswith("us-gov-"):
        prefix = "us-gov"
    elif area in {"us", "eu"}:
        prefix = area
    elif area == "ap" and _APAC_MODELS.search(parsed.base):
        prefix = "apac"
    else:
        prefix = "global"
    return f"{prefix}.{parsed.base}"


def _allow(actions: list[str], resources: list[str]) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resources}


def _covered(arn: str, needed: list[str]) -> bool:
    """Whether a statement for `needed` allows `arn` already."""
    patterns = (re.escape(each).replace(r"\*", ".*") for each in needed)
    return any(re.fullmatch(pattern, arn) for pattern in patterns)


def _partition(region: str) -> str:
    for start, partition in (("us-gov-", "aws-us-gov"), ("cn-", "aws-cn"), ("eusc-", "aws-eusc")):
        if region.startswith(start):
            return partition
    return "aws"
