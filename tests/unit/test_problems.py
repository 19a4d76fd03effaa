"""Every error that people meet becomes a specific problem with the right action, from AWS's real wordings."""

from __future__ import annotations

import json
import logging
import re
import string
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest
from botocore.exceptions import ClientError, EventStreamError

from services.clients import Identity
from services.problem_rules import Action, rules
from services.problems import Problem, from_answer, from_exception
from services.runs import Call, Run, from_json, to_json

AWS = Identity("aws", "dev", "us-east-1")
LOCAL = Identity("local", "localbedrock", "us-east-1")
SONNET = "anthropic.claude-sonnet-4-5-20250929-v1:0"
DENIED = (
    "User: arn:aws:sts::123456789012:assumed-role/Tester/ann is not authorized to perform: "
    "bedrock:InvokeModelWithResponseStream on resource: "
)


def client_error(code: str, message: str, operation: str = "Converse", **metadata: Any) -> ClientError:
    answer = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata}
    return ClientError(answer, operation)


def problem(code: str, message: str, operation: str = "Converse", identity: Identity = AWS) -> Problem:
    return from_exception(
        client_error(code, message, operation), operation=operation, model_id=SONNET, identity=identity
    )


REAL_ANSWERS = [
    pytest.param(*answer.values(), id=f"{answer['code']}-{answer['kind']}")
    for answer in tomllib.loads((Path(__file__).parent / "real_errors.toml").read_text("utf-8"))["answer"]
]


@pytest.mark.parametrize(("code", "message", "kind", "action"), REAL_ANSWERS)
def test_a_real_answer_gets_its_own_guidance(code: str, message: str, kind: str, action: str) -> None:
    """The kind and the action follow from AWS's code and words; the words themselves stay verbatim."""
    found = problem(code, message)
    assert (found.kind, found.action) == (kind, action)
    assert found.message == message
    assert found.code == code


@pytest.mark.parametrize(("code", "message", "kind", "action"), REAL_ANSWERS)
def test_the_same_answer_inside_a_stream_is_understood(
    code: str, message: str, kind: str, action: str
) -> None:
    """Event streams send the codes with a lower-case first letter."""
    answer = {"Error": {"Code": code[0].lower() + code[1:], "Message": message}}
    found = from_exception(EventStreamError(answer, "ConverseStream"), model_id=SONNET, identity=AWS)
    assert (found.kind, found.action) == (kind, action)


RECORDED_KINDS = {
    "The provided model identifier is invalid.": "customization_model",
    "Provided S3 location is invalid": "s3_location",
    "Could not assume provided IAM role.": "role_not_assumable",
    "Too many tokens, please wait": "throttled_tokens",
    "Too many tokens per day": "throttled_daily",
    "Too many requests": "throttled",
    "The maximum tokens you requested exceed": "max_tokens_too_high",
    "LLM prediction format incorrect": "agent_format",
    "Invocation of model ID": "on_demand_not_supported",
    "Failed to invoke Bedrock agent": "agent_configuration",
    "Failed to retrieve resource": "not_found",
}


@pytest.mark.recordings
def test_every_recorded_error_is_known(recordings: Path) -> None:
    """No text that AWS really sent falls through to the problem for unknown errors."""
    errors = json.loads((recordings / "errors.json").read_text(encoding="utf-8"))
    assert len(errors) > 10
    for error in errors:
        if error["code"] == "(fact)":
            continue
        expected = next(kind for start, kind in RECORDED_KINDS.items() if error["message"].startswith(start))
        code = error["code"].removeprefix("failureTrace").strip()
        found = from_answer(code, error["message"], operation=error["operation"], identity=AWS)
        assert found.kind == expected, error["message"]


def test_the_table_is_sound() -> None:
    """Actions exist, links are complete, and every placeholder of a text is one that gets filled."""
    known = {"model", "region", "operation", "profile", "login", "host", "error"}
    for rule in rules():
        groups = {name.rstrip(string.digits) for name in re.compile(rule.wording).groupindex}
        for text in (rule.title, rule.cause, rule.fix):
            names = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
            assert names <= known | groups, rule.kind
            assert text[0].isupper() or text.startswith("{"), text
            assert "`" not in text, "cards escape Markdown"
        assert rule.cause.endswith("."), rule.kind
        assert rule.fix.endswith("."), rule.kind
        assert rule.action in get_args(Action)
        assert rule.link is None or rule.link.startswith(("https://", "{console}/"))
    assert rules()[-1].kind == "unknown"


def test_throttling_is_never_decided_by_the_words() -> None:
    """The words "too many tokens" mean a throttle under one code and too long a prompt under another."""
    words = "Too many tokens, please wait before trying again."
    assert problem("ThrottlingException", words).kind == "throttled_tokens"
    assert problem("ValidationException", words).kind == "context_too_long"


def test_the_wait_after_a_throttle_doubles_up_to_a_minute() -> None:
    error = client_error("ThrottlingException", "Too many requests, please wait before trying again.")
    waits = [from_exception(error, identity=AWS, attempt=n).retry_after_s for n in range(1, 8)]
    assert waits == [2, 4, 8, 16, 32, 60, 60]


def test_a_retry_after_header_is_obeyed() -> None:
    error = client_error("ThrottlingException", "Rate exceeded", HTTPHeaders={"retry-after": "17"})
    assert from_exception(error, identity=AWS).retry_after_s == 17
    broken = client_error("ThrottlingException", "Rate exceeded", HTTPHeaders={"retry-after": "soon"})
    assert from_exception(broken, identity=AWS).retry_after_s == 2


def test_a_quota_problem_links_to_the_quotas_of_the_region() -> None:
    link = problem("ThrottlingException", "Rate exceeded").link
    assert link == "https://us-east-1.console.aws.amazon.com/servicequotas/home/services/bedrock/quotas"
    gov = Identity("aws", None, "us-gov-west-1")
    link = problem("ThrottlingException", "Rate exceeded", identity=gov).link
    assert link is not None
    assert link.startswith("https://console.amazonaws-us-gov.com/")


def test_the_local_endpoint_has_no_console_and_no_bill() -> None:
    throttled = problem("ThrottlingException", "Too many requests", identity=LOCAL)
    assert throttled.link is None
    assert "account" not in throttled.cause
    failed = problem("InternalServerException", "The service failed.", identity=LOCAL)
    assert (failed.action, failed.billed) == ("restart_backend", False)
    assert problem("ModelStreamErrorException", "x", identity=LOCAL).billed is False
    assert problem("ModelStreamErrorException", "x", identity=AWS).billed is True


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("ServiceUnavailableException", "The model's server (LOCALBEDROCK_OPENAI_URL) can't be reached."),
        ("AccessDeniedException", "The model's server refused the key (LOCALBEDROCK_OPENAI_KEY): 401"),
        ("ResourceNotFoundException", "The model's server does not serve llama9: model not found"),
        ("ModelStreamErrorException", "The model's server broke the stream off."),
    ],
)
def test_faults_of_a_server_behind_the_local_endpoint_name_that_server(code: str, message: str) -> None:
    """Restarting the endpoint would not help when Ollama is down."""
    found = problem(code, message, identity=LOCAL)
    assert (found.kind, found.action) == ("model_server", "retry")
    assert problem(code, message, identity=AWS).kind != "model_server"


def test_a_problem_outlives_the_run_store() -> None:
    """What is known of a failure is the same after a run was written and read again."""
    message = (
        DENIED + "arn:aws:bedrock:us-east-1::foundation-model/x because no session policy allows the action"
    )
    denied = problem("AccessDeniedException", message, "ConverseStream")
    assert denied.iam_statement is not None
    call = Call(operation="ConverseStream", request={}, identity=AWS)
    started = datetime(2026, 1, 1, tzinfo=UTC)
    run = Run(id="r1", call=call, started_at=started, state="failed", latency_ms=1.0, problem=denied)
    assert from_json(to_json(run)).problem == denied


def test_a_throttle_inside_a_stream_may_have_been_billed() -> None:
    """The model was at work already: sending again must be asked about. Before the stream it was not."""
    answer = {"Error": {"Code": "throttlingException", "Message": "Too many requests"}}
    assert from_exception(EventStreamError(answer, "ConverseStream"), identity=AWS).billed
    assert not from_exception(client_error("ThrottlingException", "Too many requests"), identity=AWS).billed


def test_the_request_id_is_kept() -> None:
    error = client_error("InternalServerException", "x", RequestId="7c1c3a2e", HTTPStatusCode=500)
    assert from_exception(error, identity=AWS).request_id == "7c1c3a2e"


def test_the_highest_max_tokens_is_suggested() -> None:
    found = problem("ValidationException", "max_tokens: 9000 > 4096, which is the maximum allowed")
    assert found.suggestion == "4096"
    assert "4096" in found.fix


def test_the_sign_in_command_names_the_profile() -> None:
    found = problem("ExpiredTokenException", "The security token included in the request is expired")
    assert found.suggestion == "aws sso login --profile dev"
    assert found.suggestion in found.fix


@pytest.mark.parametrize(
    ("status", "kind"),
    [(429, "throttled"), (503, "service_unavailable"), (418, "unknown"), (None, "unknown")],
)
def test_an_unknown_code_is_judged_by_its_status(status: int | None, kind: str) -> None:
    found = from_exception(client_error("BrandNewException", "words", HTTPStatusCode=status), identity=AWS)
    assert (found.kind, found.code) == (kind, "BrandNewException")


def test_an_answer_without_code_and_text_is_still_a_problem() -> None:
    found = from_exception(ClientError({}, "Converse"))
    assert found.kind == "unknown"
    assert found.title


def test_message_texts_with_braces_do_no_harm() -> None:
    """AWS's text is data: a {name} in it is not a placeholder of ours."""
    message = "Malformed input request: #: extraneous key [{model}{nope}] is not permitted"
    found = problem("ValidationException", message)
    assert found.message == message
    assert "{nope}" in found.title


def test_account_ids_stay_out_of_logs(caplog: pytest.LogCaptureFixture) -> None:
    """Unknown errors are logged by name and place; a problem's repr leaves out AWS's own text."""
    caplog.set_level(logging.DEBUG)
    try:
        raise RuntimeError("secret prompt of account 123456789012")
    except RuntimeError as error:
        found = from_exception(error, operation="Converse")
    assert "123456789012" in found.message
    denied = problem("AccessDeniedException", DENIED + "arn:aws:bedrock:us-east-1:123456789012:agent/A")
    assert "123456789012" not in caplog.text + repr(found) + repr(denied)
    assert "RuntimeError of Converse" in caplog.text
    assert "test_problems.py" in caplog.text
