"""Where model invocations are logged: one configuration per region, none at first."""

from __future__ import annotations

from typing import Any

from localbedrock.context import Context, Handler
from localbedrock.errors import validation
from localbedrock.invocation_logs import KIND


def put_configuration(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Sets the region's configuration."""
    config = params["loggingConfig"]
    if "cloudWatchConfig" not in config and "s3Config" not in config:
        raise validation("Invalid request: provide at least one of cloudWatchConfig and s3Config.")
    ctx.store.put(KIND, ctx.region, config)
    return {}


def get_configuration(ctx: Context, _params: dict[str, Any]) -> dict[str, Any]:
    """The region's configuration, or nothing."""
    return {"loggingConfig": ctx.store.get(KIND, ctx.region)}


def delete_configuration(ctx: Context, _params: dict[str, Any]) -> dict[str, Any]:
    """Ends the logging."""
    ctx.store.delete(KIND, ctx.region)
    return {}


HANDLERS: dict[str, Handler] = {
    "PutModelInvocationLoggingConfiguration": put_configuration,
    "GetModelInvocationLoggingConfiguration": get_configuration,
    "DeleteModelInvocationLoggingConfiguration": delete_configuration,
}
