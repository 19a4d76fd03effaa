"""One check of a guardrail, told to CloudWatch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from localbedrock.context import Context, GuardrailCheck
from localbedrock.errors import AwsError
from localbedrock.guardrails import engine
from localbedrock.guardrails.values import Content, Source, Verdict


def check(ctx: Context, guardrail: Mapping[str, Any], content: Sequence[Content], source: Source) -> Verdict:
    """What the guardrail makes of the content; one invocation in its metrics."""
    with counting_refusals(ctx, guardrail, source):
        verdict = engine.evaluate(guardrail, content, source, ctx.models.embedder)
    tell(ctx, guardrail, source, verdict)
    return verdict


@contextmanager
def counting_refusals(ctx: Context, guardrail: Mapping[str, Any], source: Source) -> Iterator[None]:
    """What is raised inside counts as an error of this guardrail."""
    try:
        yield
    except AwsError as error:
        tell(ctx, guardrail, source, None, error)
        raise


def tell(
    ctx: Context,
    guardrail: Mapping[str, Any],
    source: Source,
    verdict: Verdict | None,
    error: AwsError | None = None,
) -> None:
    """Report one invocation of the guardrail."""
    ctx.report_check(
        GuardrailCheck(
            guardrail_arn=guardrail["guardrailArn"],
            guardrail_version=guardrail["version"],
            source=source,
            latency_ms=verdict.latency_ms if verdict else 0,
            usage=verdict.usage if verdict else {},
            assessment=verdict.assessment if verdict else {},
            intervened=verdict is not None and verdict.action != "NONE",
            error=error,
        )
    )
