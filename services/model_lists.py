"""The calls that list what an identity can invoke, made at once; one that fails is a problem, not the end."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from services import clients, pricing, problems
from services.clients import Identity
from services.problems import Problem

Summaries = list[dict[str, Any]]

# name: (operation, arguments, member that holds the summaries). Without typeEquals ListInferenceProfiles
# leaves the application profiles out.
_PAGE = {"maxResults": 1000}
_LISTS: dict[str, tuple[str, dict[str, Any], str]] = {
    "foundation": ("list_foundation_models", {}, "modelSummaries"),
    "system": (
        "list_inference_profiles",
        {"typeEquals": "SYSTEM_DEFINED", **_PAGE},
        "inferenceProfileSummaries",
    ),
    "application": (
        "list_inference_profiles",
        {"typeEquals": "APPLICATION", **_PAGE},
        "inferenceProfileSummaries",
    ),
    "routers": ("list_prompt_routers", {}, "promptRouterSummaries"),
    "provisioned": ("list_provisioned_model_throughputs", _PAGE, "provisionedModelSummaries"),
    "custom": ("list_custom_models", _PAGE, "modelSummaries"),
    "deployments": ("list_custom_model_deployments", _PAGE, "modelDeploymentSummaries"),
    "imported": ("list_imported_models", _PAGE, "modelSummaries"),
}


@dataclass(frozen=True)
class Lists:
    """The summaries of every list by its name (see `_LISTS`), as boto3 parsed them, and what went wrong."""

    summaries: dict[str, Summaries] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


def fetch(identity: Identity) -> Lists:
    """Make all list calls. Never raises for what AWS, the network or the credentials do."""
    try:
        bedrock = clients.client("bedrock", identity)
    except Exception as error:  # noqa: BLE001 (a profile that is gone, an endpoint that is not up: every kind is told)
        return Lists(problems=(problems.from_exception(error, identity=identity),))
    with ThreadPoolExecutor(len(_LISTS) + 1, thread_name_prefix="model-list") as pool:
        if identity.backend == "aws":
            pool.submit(pricing.warm_up)
        pending = {name: pool.submit(_list, bedrock, identity, *call) for name, call in _LISTS.items()}
        results = {name: future.result() for name, future in pending.items()}
    # Expired credentials fail every list alike: told once.
    found = {(p.code, p.cause): p for _, p in results.values() if p}
    return Lists({name: summaries for name, (summaries, _) in results.items()}, tuple(found.values()))


def _list(
    bedrock: Any, identity: Identity, operation: str, arguments: dict[str, Any], member: str
) -> tuple[Summaries, Problem | None]:
    """One list, all its pages; those before a failure count."""
    summaries: Summaries = []
    try:
        if bedrock.can_paginate(operation):
            for page in bedrock.get_paginator(operation).paginate(**arguments):
                summaries += page.get(member) or ()
        else:
            summaries += getattr(bedrock, operation)(**arguments).get(member) or ()
    except Exception as error:  # noqa: BLE001 (one list must not take the others with it)
        if _no_such_operation(error):
            return summaries, None
        name = bedrock.meta.method_to_api_mapping[operation]
        return summaries, problems.from_exception(error, operation=name, identity=identity)
    return summaries, None


def _no_such_operation(error: Exception) -> bool:
    """An endpoint or region without the operation has nothing to list by it."""
    return isinstance(error, ClientError) and error.response["Error"]["Code"] == "UnknownOperationException"
