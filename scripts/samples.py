"""`make samples`: a knowledge base of the sample documents and a guardrail in the local endpoint.

What is there already is left alone. It takes the steps that the pages take, so what it makes can be taken
apart there.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn

from services import backend, clients, guardrail_editor, guardrails, settings
from services.clients import Identity
from services.guardrail_editor import GuardrailError
from services.guardrails import Guardrails, GuardrailSummary
from services.knowledge_build import Builder, Chunking, Plan, embedding_models, make_plan, start_build
from services.problems import Problem

NAME = "product-help-sample"
DOCUMENTS = settings.ROOT / "localbedrock" / "samples" / "documents"
MODEL_PREFIX = "local."
"""The embedding model that really runs here, not one that it stands in for."""


def main() -> None:
    """Starts the endpoint, or uses the one of a running workbench, and prints what was made."""
    try:
        local = settings.get().backend == "local"
    except settings.SettingsError as error:
        sys.exit("\n".join(f"settings: {fault}" for fault in error.faults))
    if not local:
        sys.exit(
            "samples: these are for the local endpoint; in AWS a collection for vectors costs money. Set "
            "WORKBENCH_BACKEND=local, or build a knowledge base on the RAG chat page."
        )
    say("starting the local endpoint, unless it runs")
    status = backend.ensure()
    if status.state != "ready":
        sys.exit(f"samples: {status.detail}")
    try:
        identity = clients.default_identity()
        make_guardrail(identity)
        report(build(identity, DOCUMENTS))
    finally:
        backend.stop()


def make_guardrail(identity: Identity) -> str:
    """The id of the sample guardrail, which is made unless one of its name is there, with a first version."""
    wanted = guardrail_editor.sample()
    if wanted is None:
        sys.exit(f"samples: {guardrail_editor.SAMPLE} is missing.")
    try:
        identifier = guardrail_named(identity, wanted.name)
        if identifier is None:
            identifier = guardrail_editor.create(identity, wanted, seed=guardrail_editor.new_seed())
        if all(one.version == guardrails.DRAFT for one in listed(guardrails.versions(identity, identifier))):
            seed = guardrail_editor.new_seed()
            guardrail_editor.create_version(identity, identifier, "The sample as it comes", seed=seed)
    except GuardrailError as error:
        fail("guardrail", error.problem)
    say(f"guardrail {wanted.name} ({identifier}): try it on the guardrail tester's page")
    return identifier


def guardrail_named(identity: Identity, name: str) -> str | None:
    """The id of the guardrail with this name."""
    return next((one.id for one in listed(guardrails.guardrails(identity)) if one.name == name), None)


def listed(found: Guardrails) -> tuple[GuardrailSummary, ...]:
    """What was listed; ends the program where it could not be."""
    if found.problem:
        fail("guardrail", found.problem)
    return found.summaries


def build(identity: Identity, folder: Path) -> Builder:
    """Builds from the first step that is not done; every file of the folder is a document or its metadata."""
    files = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
    plan = plan_of(identity, tuple(files))
    say(f"building {NAME} from {len(files)} files")
    builder = start_build(identity, plan, files)
    builder.wait()
    return builder


def plan_of(identity: Identity, names: tuple[str, ...]) -> Plan:
    """The plan of the sample knowledge base; ends the program where there can be none."""
    models = embedding_models(identity)
    model = next((model for model in models if model.model_id.startswith(MODEL_PREFIX)), None)
    if model is None:
        sys.exit("samples: the local endpoint offers no embedding model of its own.")
    plan = make_plan(identity, NAME, model, Chunking(), names)
    if isinstance(plan, Problem):
        sys.exit(f"samples: {plan.title}. {plan.cause} {plan.fix}")
    return plan


def report(builder: Builder) -> None:
    """One line for each step, and the knowledge base; ends the program with the problem of a step."""
    for step in builder.steps:
        progress = builder.progress(step)
        if progress.problem:
            fail(step.title, progress.problem)
        say(f"{step.title}: {progress.detail or progress.state}")
    say(f"knowledge base {builder.knowledge_base_id}, bucket {builder.plan.bucket}: ask on the RAG chat page")


def fail(step: str, problem: Problem) -> NoReturn:
    """Ends the program with what is wrong and what to do."""
    sys.exit(f"samples: {step}: {problem.title}. {problem.cause} {problem.fix}")


def say(text: str) -> None:
    """One line of progress."""
    print(f"samples: {text}", flush=True)


if __name__ == "__main__":
    main()
