"""The call of one cell: the row's words through the template, sent as the column's pane would send them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from services.batch_files import render
from services.batch_values import Batch
from services.clients import Identity
from services.conversations import Settings, converse_call
from services.models import Model
from services.prompt_exchange import call_by_arn, with_values
from services.runs import Call


def cell_call(
    batch: Batch,
    settings: Settings,
    model: Model,
    row: Mapping[str, str],
    identity: Identity,
    tags: Mapping[str, str],
) -> Call | None:
    """The call; None where the row gives no prompt. RefusedError where the service would say no.

    Variables of the pane's system prompt, and of a managed prompt that is called by its ARN, take the values
    of the columns of their names.
    """
    values = dict(row) | {name: row[header] for name, header in batch.mapping.items()}
    prompt = render(batch.template, values)
    if not prompt.strip():
        return None
    call = converse_call(
        with_values(settings, values),
        model,
        (),
        [{"text": prompt}],
        identity=identity,
        user=batch.owner,
        tags=tags,
    )
    return replace(call, request=call_by_arn(dict(call.request), identity, values))
