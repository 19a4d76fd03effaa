"""From nothing to a knowledge base that answers, through the services, and apart again."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from services import knowledge
from services.clients import Identity, client
from services.knowledge import IngestionJob
from services.knowledge_build import (
    STEPS,
    Builder,
    Chunking,
    Plan,
    embedding_models,
    make_plan,
    program,
    start_build,
    start_taking_apart,
)
from services.knowledge_build.execution import Execution
from services.knowledge_files import DocumentFile
from tests.conftest import ROOT, Endpoint

FILES = {
    "vacuum.md": b"# Drift\n\nThe Drift robot vacuums carpets and stone floors.",
    "vacuum.md.metadata.json": b'{"metadataAttributes": {"product": "Drift"}}',
    "warranty.txt": b"The warranty lasts two years from the day of purchase.",
    "broken.pdf": b"%PDF-1.4 this is no more than the beginning",
}


@pytest.fixture
def plan(identity: Identity) -> Plan:
    """A plan of its own name, so that tests do not meet."""
    model = next(one for one in embedding_models(identity) if one.model_id.startswith("local."))
    made = make_plan(identity, f"kb-{uuid4().hex[:12]}", model, Chunking("FIXED_SIZE"), list(FILES))
    assert isinstance(made, Plan)
    return made


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The calls that were made, by service and operation."""
    made: list[tuple[str, str]] = []
    send = Execution._send

    def kept(self: Execution, service: str, operation: str, arguments: Any) -> dict[str, Any]:
        made.append((service, operation))
        return send(self, service, operation, arguments)

    monkeypatch.setattr(Execution, "_send", kept)
    return made


def finished(builder: Builder) -> Builder:
    assert builder.wait(60)
    return builder


def states(builder: Builder) -> dict[str, str]:
    return {step.key: builder.progress(step).state for step in STEPS}


def asked(identity: Identity, knowledge_base_id: str, question: str) -> str:
    runtime = client("bedrock-agent-runtime", identity)
    found = runtime.retrieve(knowledgeBaseId=knowledge_base_id, retrievalQuery={"text": question})
    return str(found["retrievalResults"][0]["content"]["text"])


def test_the_whole_way_up_again_and_down(identity: Identity, plan: Plan, sent: list[tuple[str, str]]) -> None:
    built = finished(start_build(identity, plan, FILES))
    assert set(states(built).values()) == {"done"}, [built.progress(step).problem for step in STEPS]
    base = built.knowledge_base_id
    assert base in {one.id for one in knowledge.knowledge_bases(identity).items}

    (source,) = knowledge.data_sources(identity, base).items
    assert (source.bucket, source.prefix) == (plan.bucket, "documents/")
    listed = knowledge.documents(identity, base, source.id).items
    assert [one.address.rpartition("/")[2] for one in listed if one.bad] == ["broken.pdf"]
    assert listed[0].reason
    job = knowledge.ingestion_jobs(identity, base, source.id).items[0]
    assert (job.status, job.scanned, job.new, job.failed) == ("COMPLETE", 3, 2, 1)
    whole = knowledge.ingestion_job(identity, base, source.id, job.id)
    assert isinstance(whole, IngestionJob)
    assert "broken.pdf" in whole.failure_reasons[0]

    sent.clear()
    again = finished(start_build(identity, plan, FILES))
    assert {again.progress(step).detail for step in STEPS} == {"Was there already"}
    assert again.knowledge_base_id == base
    assert not [one for _, one in sent if one.startswith(("Create", "Put", "Start", "Delete"))]

    changed = FILES | {"warranty.txt": b"The warranty lasts three years."}
    third = finished(start_build(identity, plan, changed))
    details = {step.key: third.progress(step).detail for step in STEPS}
    assert "1 changed" in details["sync"]
    assert "new" not in details["sync"]

    apart = finished(start_taking_apart(identity, plan))
    assert set(states(apart).values()) == {"done"}, [apart.progress(step).problem for step in STEPS]
    assert base not in {one.id for one in knowledge.knowledge_bases(identity).items}
    twice = finished(start_taking_apart(identity, plan))
    assert set(states(twice).values()) == {"kept"}
    assert twice.succeeded


def test_the_policies_allow_every_call_that_is_made(identity: Identity, plan: Plan, sent: list[Any]) -> None:
    """Locally nothing is forbidden; on AWS a call without its action would be."""
    finished(start_build(identity, plan, FILES))
    finished(start_build(identity, plan, FILES))
    finished(start_taking_apart(identity, plan))
    allowed = {
        action
        for step in STEPS
        for statement in step.policy(plan)["Statement"]
        for action in statement["Action"]
    }
    prefixes = {"opensearchserverless": "aoss", "bedrock-agent": "bedrock", "bedrock-runtime": "bedrock"}
    names = {"ListObjectsV2": "ListBucket"}
    needed = {f"{prefixes.get(service, service)}:{names.get(one, one)}" for service, one in sent}
    assert needed <= allowed
    assert allowed - needed == {
        "aoss:APIAccessAll",
        "aoss:TagResource",
        "bedrock:StopIngestionJob",
        "bedrock:TagResource",
        "iam:CreateServiceLinkedRole",
        "iam:PassRole",
        "iam:TagRole",
    }


def test_what_somebody_else_made_is_neither_used_nor_deleted(identity: Identity, plan: Plan) -> None:
    s3, iam = client("s3", identity), client("iam", identity)
    s3.create_bucket(Bucket=plan.bucket)
    s3.put_object(Bucket=plan.bucket, Key="documents/theirs.txt", Body=b"theirs")
    refused = finished(start_build(identity, plan, FILES))
    problem = refused.progress(STEPS[0]).problem
    assert problem
    assert "did not make it" in problem.cause
    assert set(states(refused).values()) == {"failed", "waiting"}

    iam.create_role(RoleName=plan.role, AssumeRolePolicyDocument="{}")
    apart = finished(start_taking_apart(identity, plan))
    assert {states(apart)[key] for key in ("bucket", "documents", "role")} == {"kept"}
    assert s3.get_object(Bucket=plan.bucket, Key="documents/theirs.txt")["Body"].read() == b"theirs"
    assert iam.get_role(RoleName=plan.role)


def test_a_build_that_failed_goes_on_from_there(
    identity: Identity, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = replace(plan, embedding_model_id="local.no-such-model")
    failed = finished(start_build(identity, bad, FILES))
    assert failed.progress(STEPS[7]).problem
    assert states(failed)["collection"] == "done"
    assert states(failed)["base"] == "waiting"
    built = finished(start_build(identity, plan, {}))  # the documents are in the bucket by now
    assert built.succeeded
    assert built.progress(STEPS[6]).detail == "Was there already"
    assert "two years" in asked(identity, built.knowledge_base_id, "How long is the warranty?")


def test_a_build_can_be_stopped_and_another_model_is_refused_later(identity: Identity, plan: Plan) -> None:
    stopped = Builder(identity, plan, STEPS, FILES, "build")
    stopped.stop()
    stopped.start()
    assert set(states(finished(stopped)).values()) == {"waiting"}
    assert not stopped.succeeded

    assert finished(start_build(identity, plan, FILES)).succeeded
    colleague = replace(plan, caller_arn="arn:aws:iam::000000000000:user/bob")
    assert finished(start_build(identity, colleague, FILES)).succeeded
    other = replace(plan, embedding_model_arn=plan.embedding_model_arn.replace("local.", "local.another-"))
    refused = finished(start_build(identity, other, FILES))
    problem = refused.progress(STEPS[8]).problem
    assert problem
    assert "cannot be changed" in problem.cause


def test_the_program_that_is_downloaded_builds_the_same(
    endpoint: Endpoint, identity: Identity, plan: Plan, tmp_path: Path
) -> None:
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    # The pauses of the program are meant for AWS.
    text = program(plan).replace("time.sleep(5)", "time.sleep(0.1)")
    environment = {**os.environ, **endpoint.env, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", text],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    found = finished(start_build(identity, plan, FILES))
    assert {found.progress(step).detail for step in STEPS} == {"Was there already"}
    assert "carpets" in asked(identity, found.knowledge_base_id, "What does the robot clean?")


def test_documents_come_and_go_through_the_service(identity: Identity, plan: Plan) -> None:
    base = finished(start_build(identity, plan, FILES)).knowledge_base_id
    (source,) = knowledge.data_sources(identity, base).items
    written, problem = knowledge.upload_documents(identity, source, [DocumentFile("new.txt", b"Tea is hot.")])
    assert problem is None
    started = knowledge.start_ingestion(identity, base, source.id)
    assert isinstance(started, IngestionJob)
    assert finished(start_build(identity, plan, FILES)).succeeded  # waits for the sync
    knowledge.documents.clear(identity, base, source.id)
    listed = knowledge.documents(identity, base, source.id).items
    new = [one for one in listed if one.address == written[0]]
    assert [one.status for one in new] == ["INDEXED"]
    assert knowledge.delete_documents(identity, source, new) is None
    assert written[0].rpartition("/")[2] not in str(
        client("s3", identity).list_objects_v2(Bucket=plan.bucket)["Contents"]
    )
