"""Lists of kinds of resources that cannot exist here: truthfully empty."""

from __future__ import annotations

from typing import Any

from localbedrock.context import Context, Handler

_MEMBERS = {
    "ListProvisionedModelThroughputs": "provisionedModelSummaries",
    "ListCustomModels": "modelSummaries",
    "ListCustomModelDeployments": "modelDeploymentSummaries",
    "ListImportedModels": "modelSummaries",
    "ListMarketplaceModelEndpoints": "marketplaceModelEndpoints",
}


def _empty(member: str) -> Handler:
    def handler(_ctx: Context, _params: dict[str, Any]) -> dict[str, Any]:
        return {member: []}

    return handler


HANDLERS: dict[str, Handler] = {operation: _empty(member) for operation, member in _MEMBERS.items()}
