"""The build of a knowledge base: what is shown is what is sent, and AWS would take it."""

from __future__ import annotations

import functools
import io
import json
import re
import threading
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.session import Session
from botocore.validate import ParamValidator

from services import clients
from services.clients import Identity
from services.knowledge_build import STEPS, Chunking, Plan, code, name_fault, program
from services.knowledge_build.execution import Execution, FailedError, StoppedError
from services.knowledge_build.instructions import Call, Var, Wait
from services.knowledge_build.plan import TAG

IDENTITY = Identity("local", "localbedrock", "eu-west-1")
CHUNKINGS = (
    Chunking(),
    Chunking("FIXED_SIZE"),
    Chunking("NONE"),
    Chunking("HIERARCHICAL"),
    Chunking("SEMANTIC"),
)
MODELS = (
    "amazon.titan-embed-text-v2:0",
    "cohere.embed-multilingual-v3",
    "amazon.nova-2-multimodal-embeddings-v1:0",
)
COLLECTION = {"id": "c" * 20, "arn": "arn:aws:aoss:eu-west-1:123456789012:collection/" + "c" * 20}


def make_plan(name: str = "Manuals", model: str = MODELS[0], chunking: Chunking = CHUNKINGS[0]) -> Plan:
    return Plan(
        name=name,
        region="eu-west-1",
        partition="aws",
        account="123456789012",
        caller_arn="arn:aws:iam::123456789012:user/ana",
        embedding_model_id=model,
        embedding_model_arn=f"arn:aws:bedrock:eu-west-1::foundation-model/{model}",
        chunking=chunking,
        documents=("a.md", 'odd "name".txt'),
    )


@functools.cache
def service_model(service: str) -> Any:
    return Session().get_service_model(service)


class Aws:
    """Takes every call that its service model allows, keeps it, and answers as AWS does when all is ready."""

    def __init__(self, model: str = MODELS[0]) -> None:
        self.calls: list[tuple[str, str, dict[str, Any]]] = []
        self.errors: dict[str, list[str]] = {}
        vector = [0.5] * 8
        answer: Any = {"embedding": vector}
        if model.startswith("cohere"):
            answer = {"embeddings": {"float": [vector]}}
        elif model.startswith("amazon.nova"):
            answer = {"embeddings": [{"embedding": vector}]}
        self._vectors = json.dumps(answer).encode()

    def client(self, service: str, *_: Any, **__: Any) -> Any:
        return _Client(self, service)

    def answer(self, service: str, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        shape = service_model(service).operation_model(operation).input_shape
        assert shape is not None
        report = ParamValidator().validate(arguments, shape)
        assert not report.has_errors(), report.generate_report()
        assert not list(pattern_faults(shape, arguments))
        self.calls.append((service, operation, arguments))
        if self.errors.get(operation):
            raise ClientError({"Error": {"Code": self.errors[operation].pop(0), "Message": "no"}}, operation)
        base = {"knowledgeBaseId": "KB12345678", "status": "ACTIVE"}
        answers: dict[str, dict[str, Any]] = {
            "BatchGetCollection": {"collectionDetails": [{**COLLECTION, "status": "ACTIVE"}]},
            "InvokeModel": {"body": io.BytesIO(self._vectors)},
            "CreateKnowledgeBase": {"knowledgeBase": base},
            "GetKnowledgeBase": {"knowledgeBase": base},
            "CreateDataSource": {"dataSource": {"dataSourceId": "DS12345678"}},
            "StartIngestionJob": {"ingestionJob": {"ingestionJobId": "JB12345678", "status": "STARTING"}},
            "GetIngestionJob": {"ingestionJob": {"ingestionJobId": "JB12345678", "status": "COMPLETE"}},
        }
        return answers.get(operation, {})


class _Client:
    def __init__(self, aws: Aws, service: str) -> None:
        self._aws, self._service = aws, service
        names = service_model(service).operation_names
        self._operations = {xform_name(name): name for name in names}

    def __getattr__(self, method: str) -> Any:
        operation = self._operations[method]
        return lambda **arguments: self._aws.answer(self._service, operation, arguments)


def pattern_faults(shape: Any, value: Any) -> Any:
    """Texts that the service would refuse, which boto3 lets pass."""
    if shape.type_name == "structure" and isinstance(value, dict):
        for name, each in value.items():
            yield from pattern_faults(shape.members[name], each) if name in shape.members else ()
    elif shape.type_name == "list":
        for each in value:
            yield from pattern_faults(shape.member, each)
    elif shape.type_name == "string" and isinstance(value, str):
        pattern = shape.metadata.get("pattern")
        if (
            pattern
            and "\\p" not in pattern
            and "\\u" not in pattern
            and not re.fullmatch(pattern, value, re.DOTALL)
        ):
            yield value, pattern


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the documents, in which the program runs."""
    monkeypatch.chdir(tmp_path)
    for name in make_plan().documents:
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def run_all(plan: Plan, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Execution:
    monkeypatch.setattr(clients, "client", aws.client)
    files = {name: name.encode() for name in plan.documents}
    execution = Execution(IDENTITY, files, threading.Event(), lambda _: None)
    for step in STEPS:
        execution.run(step.build(plan))
    return execution


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("chunking", CHUNKINGS, ids=lambda one: one.strategy)
def test_the_code_that_is_shown_makes_the_very_calls_that_the_build_makes(
    model: str, chunking: Chunking, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make_plan(model=model, chunking=chunking)
    made, shown = Aws(model), Aws(model)
    execution = run_all(plan, made, monkeypatch)
    assert execution.values["dimensions"] == 8
    monkeypatch.setattr(boto3, "client", shown.client)
    exec(compile(program(plan), "program", "exec"), {})
    assert shown.calls == made.calls
    assert len({operation for _, operation, _ in made.calls}) == 16


def test_each_step_shows_its_own_part_and_says_what_it_needs() -> None:
    plan = make_plan()
    for step in STEPS:
        text = step.code(plan)
        compile(text, step.key, "exec")
        assert code.lines(step.build(plan)) in text
    assert "# knowledge_base_id, data_source_id: from the steps before" in STEPS[-1].code(plan)


@pytest.mark.parametrize("name", ["Manuals", "9-lives", "A_very-long_name-" + "x" * 80, "UPPER_case", "1"])
def test_every_name_that_follows_from_the_plan_is_one_that_aws_takes(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not name_fault(name)
    plan = make_plan(name=name)
    run_all(plan, Aws(), monkeypatch)
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", plan.bucket)
    assert len(plan.role) <= 64


@pytest.mark.parametrize("name", ["", "two words", "a--b", "ü", "x" * 101, "a/../b", "$(rm)"])
def test_other_names_are_refused_before_anything_is_made(name: str) -> None:
    assert name_fault(name)


def test_the_policies_are_iam_policies_with_no_more_than_is_needed() -> None:
    plan = make_plan()
    for step in STEPS:
        policy = json.loads(json.dumps(step.policy(plan)))
        assert policy["Version"] == "2012-10-17"
        for statement in policy["Statement"]:
            assert re.fullmatch(r"[A-Za-z0-9]+", statement["Sid"])
            assert all(re.fullmatch(r"(s3|iam|aoss|bedrock):[A-Za-z]+", one) for one in statement["Action"])
            assert all(one == "*" or one.startswith("arn:aws:") for one in statement["Resource"])
            if statement["Resource"] == ["*"]:  # only where the service knows no narrower resource
                assert all(one.startswith(("aoss:", "bedrock:")) for one in statement["Action"])


def test_the_role_of_bedrock_reaches_its_own_model_bucket_and_collection_only(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, aws = make_plan(), Aws()
    run_all(plan, aws, monkeypatch)
    put = {
        call["PolicyName"]: json.loads(call["PolicyDocument"])["Statement"]
        for _, operation, call in aws.calls
        if operation == "PutRolePolicy"
    }
    allowed = {
        action: statement["Resource"]
        for statements in put.values()
        for statement in statements
        for action in statement["Action"]
    }
    assert allowed == {
        "bedrock:InvokeModel": [plan.embedding_model_arn],
        "s3:ListBucket": [plan.bucket_arn],
        "s3:GetObject": [f"{plan.bucket_arn}/documents/*"],
        "aoss:APIAccessAll": [COLLECTION["arn"]],
    }
    (trust,) = (call for _, operation, call in aws.calls if operation == "CreateRole")
    condition = json.loads(trust["AssumeRolePolicyDocument"])["Statement"][0]["Condition"]
    assert condition["StringEquals"] == {"aws:SourceAccount": "123456789012"}
    assert trust["Tags"] == [{"Key": TAG, "Value": "Manuals"}]


def test_what_aws_does_not_know_yet_is_asked_for_again_and_nothing_else_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    aws, told = Aws(), list[str]()
    monkeypatch.setattr(clients, "client", aws.client)
    monkeypatch.setattr("services.knowledge_build.execution._LOCAL_PAUSE_S", 0)
    execution = Execution(IDENTITY, {}, threading.Event(), told.append)
    patient = Call("opensearchserverless", "DeleteCollection", {"id": "c" * 20}, patient=True)
    aws.errors["DeleteCollection"] = ["AccessDeniedException"]
    execution.run([patient])
    assert len(aws.calls) == 2
    assert told == ["AWS does not know yet what was just made; trying again"]
    aws.errors["DeleteCollection"] = ["ValidationException"]
    with pytest.raises(FailedError) as failed:
        execution.run([patient])
    assert failed.value.problem.code == "ValidationException"


def test_a_wait_ends_with_the_reason_or_with_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    state: dict[str, Any] = {}
    aws, stopped = Aws(), threading.Event()
    monkeypatch.setattr(aws, "answer", lambda *_: {"ingestionJob": state})
    monkeypatch.setattr(clients, "client", aws.client)
    execution = Execution(IDENTITY, {}, stopped, lambda _: None)
    execution.values |= {"job": "x"}
    call = Call("bedrock-agent", "GetIngestionJob", {"ingestionJobId": Var("job")})
    wait = Wait(
        call, ("ingestionJob", "status"), ("IN_PROGRESS",), ("COMPLETE",), ("ingestionJob", "failureReasons")
    )
    state |= {"status": "FAILED", "failureReasons": ["no access to the bucket"]}
    with pytest.raises(FailedError) as failed:
        execution.run([wait])
    assert "no access to the bucket" in failed.value.problem.cause
    state |= {"status": "IN_PROGRESS"}
    threading.Timer(0.05, stopped.set).start()
    with pytest.raises(StoppedError):
        execution.run([wait])


@pytest.mark.parametrize(
    ("chunking", "words"),
    [
        (Chunking("FIXED_SIZE", max_tokens=0), "between 1 and 8192"),
        (Chunking("FIXED_SIZE", overlap_percentage=100), "between 1 and 99"),
        (Chunking("HIERARCHICAL", parent_tokens=300), "larger"),
        (Chunking("HIERARCHICAL", overlap_tokens=300), "smaller"),
        (Chunking("SEMANTIC", breakpoint_percentile=10), "between 50 and 99"),
    ],
)
def test_chunking_that_aws_refuses_is_refused_with_a_reason(chunking: Chunking, words: str) -> None:
    assert words in chunking.fault


@pytest.mark.parametrize("chunking", CHUNKINGS, ids=lambda one: one.strategy)
def test_what_the_form_begins_with_is_taken(chunking: Chunking) -> None:
    assert not chunking.fault
