"""Problems instead of exceptions: what happened, why, what to do, and the action that helps.

Every error of a call to AWS or to the local endpoint becomes a `Problem`: answers with an error code, errors
inside an event stream (lower-case codes), and everything that goes wrong on the way (no credentials, no
connection, an answer that cannot be read). The texts are in `data/problems.toml`.
"""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError, EventStreamError

from services import iam, problem_rules
from services.clients import Identity
from services.problem_rules import Action, Rule

__all__ = ["Action", "Problem", "ProblemError", "from_answer", "from_exception"]

MAX_WAIT_S = 60.0
_CONSOLES = {
    "us-gov-": "https://console.amazonaws-us-gov.com",
    "cn-": "https://console.amazonaws.cn",
}
_LOGINS = {"sso_login": "aws sso login", "credentials_expired": "aws sso login", "aws_login": "aws login"}

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Problem:
    """One thing that went wrong, told to the person who can put it right.

    `code` is AWS's error code, or the exception's class; `kind` is the workbench's own name for it (empty for
    problems that pages make up themselves). `retry_after_s` is how long to wait before `action`. `suggestion`
    is what the fix needs: the inference profile's ID, the command that signs in, the highest value allowed.
    `billed`: the call may have been charged, so ask before it is sent again. `message` and `iam_statement`
    hold AWS's own words, with account and user names: for the screen, not for logs.
    """

    code: str
    title: str
    cause: str
    fix: str
    action: Action = "none"
    retry_after_s: float | None = None
    link: str | None = None
    message: str = field(default="", repr=False)
    request_id: str | None = None
    iam_statement: dict[str, Any] | None = field(default=None, repr=False)
    suggestion: str | None = None
    kind: str = ""
    link_label: str = "Open the documentation"
    billed: bool = False


class ProblemError(Exception):
    """An error that is told as its `problem`: why, and what to do."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.title)
        self.problem = problem


def from_exception(
    error: BaseException,
    *,
    operation: str = "",
    model_id: str = "",
    identity: Identity | None = None,
    attempt: int = 1,
) -> Problem:
    """The problem behind an exception of a call. Never raises.

    `operation` is the API's name ("ConverseStream"); `attempt` counts the failures of the same call in a row
    and doubles the wait after a throttle each time, up to a minute.
    """
    call = _Call(operation, model_id, identity, attempt)
    if not isinstance(error, ClientError):
        names = [cls.__name__ for cls in type(error).__mro__]
        details = error.kwargs if isinstance(error, BotoCoreError) else {}  # the parts of its message
        return _problem(call, names, str(error), where=_where(error), details=details)
    answer = error.response.get("Error", {})
    problem = from_answer(
        str(answer.get("Code", "")),
        str(answer.get("Message", "")),
        metadata=error.response.get("ResponseMetadata", {}),
        operation=operation or error.operation_name,
        model_id=model_id,
        identity=identity,
        attempt=attempt,
    )
    if isinstance(error, EventStreamError) and problem.action == "retry":
        return replace(problem, billed=call.backend == "aws")  # the model was already at work
    return problem


def from_answer(
    code: str,
    message: str,
    *,
    metadata: Mapping[str, Any] | None = None,
    operation: str = "",
    model_id: str = "",
    identity: Identity | None = None,
    attempt: int = 1,
) -> Problem:
    """The problem behind an error that AWS reports: raised, or told in a trace, a job or a status.

    `metadata` is boto3's ResponseMetadata.
    """
    metadata = metadata or {}
    call = _Call(operation, model_id, identity, attempt)
    problem = _problem(call, [code], message, status=str(metadata.get("HTTPStatusCode", "")))
    wait_s = _seconds(metadata.get("HTTPHeaders", {}).get("retry-after"))
    if wait_s is not None and problem.action == "retry":
        problem = replace(problem, retry_after_s=max(wait_s, problem.retry_after_s or 0))
    return replace(problem, request_id=metadata.get("RequestId"))


@dataclass(frozen=True)
class _Call:
    """The call that failed, as the texts need it."""

    operation: str
    model_id: str
    identity: Identity | None
    attempt: int

    @property
    def backend(self) -> str:
        return self.identity.backend if self.identity else "aws"

    @property
    def region(self) -> str:
        return self.identity.region if self.identity else ""


def _problem(
    call: _Call,
    names: Sequence[str],
    message: str,
    *,
    status: str = "",
    where: str = "an answer",
    details: Mapping[str, Any] | None = None,
) -> Problem:
    """The problem of an error with these names: its code, or its classes, the most specific first.

    A name that is not in the table is judged by the HTTP status.
    """
    keys = [name.lower().removesuffix("exception") for name in names]
    rule, groups = problem_rules.choose(keys, message, operation=call.operation, backend=call.backend)
    if rule.kind == "unknown":
        rule, groups = problem_rules.choose([status], message, operation=call.operation, backend=call.backend)
    if rule.kind == "unknown":
        logger.warning("No rule for %s of %s, from %s", names[0], call.operation or "a call", where)
    facts = _facts(call, rule, names[0], details or {}) | groups
    suggestion = _suggestion(call, rule, message, facts)
    no_profile = rule.action == "use_inference_profile" and not suggestion
    return Problem(
        code=names[0] or status,
        title=_text(rule.title, facts),
        cause=_text(rule.cause, facts),
        fix=_text(rule.fix, facts),
        action="choose_model" if no_profile else rule.action,
        retry_after_s=_wait(rule, call.attempt),
        link=_link(rule, call),
        message=message,
        iam_statement=_statement(call, rule, message),
        suggestion=suggestion,
        kind=rule.kind,
        link_label=rule.link_label,
        billed=rule.billed and call.backend == "aws",
    )


def _facts(call: _Call, rule: Rule, error: str, details: Mapping[str, Any]) -> dict[str, str]:
    """What the texts may name."""
    profile = str(details.get("profile") or (call.identity and call.identity.profile) or "")
    login = _LOGINS.get(rule.kind, "aws sso login") + (f" --profile {profile}" if profile else "")
    return {
        "error": error,
        "host": urlsplit(str(details.get("endpoint_url", ""))).netloc or "AWS",
        "login": login,
        "model": call.model_id or "the model",
        "operation": call.operation or "this call",
        "profile": profile or "that is asked for",
        "region": call.region or "this region",
    }


def _text(template: str, facts: Mapping[str, str]) -> str:
    text = template.format_map(facts)
    return f"T{text[1:]}" if text.startswith("the ") else text


def _suggestion(call: _Call, rule: Rule, message: str, facts: Mapping[str, str]) -> str | None:
    if rule.kind == "on_demand_not_supported":
        named = re.search(r"model ID (\S+)", message)
        return iam.inference_profile(named[1] if named else call.model_id, call.region)
    if rule.kind == "max_tokens_too_high":
        return facts["limit"]
    return facts["login"] if rule.kind in _LOGINS else None


def _statement(call: _Call, rule: Rule, message: str) -> dict[str, Any] | None:
    if rule.kind in {"access_denied", "model_subscription"}:
        return iam.missing_statement(message, call.operation, call.model_id, call.region)
    return None


def _link(rule: Rule, call: _Call) -> str | None:
    if rule.link is None or "{console}" not in rule.link:
        return rule.link
    if call.backend == "local" or not call.region:
        return None
    special = (url for start, url in _CONSOLES.items() if call.region.startswith(start))
    console = next(special, f"https://{call.region}.console.aws.amazon.com")
    return rule.link.format(console=console, region=call.region)


def _wait(rule: Rule, attempt: int) -> float | None:
    return None if rule.wait_s is None else min(rule.wait_s * 2 ** (attempt - 1), MAX_WAIT_S)


def _seconds(header: str | None) -> float | None:
    """A Retry-After header in its form of seconds; AWS does not use the form of a date."""
    return float(header) if header and header.isascii() and header.isdecimal() else None


def _where(error: BaseException) -> str:
    """The code line an exception comes from. Its text may hold prompts and account ids, so no log gets it."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "unknown code"
