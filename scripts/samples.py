"""`make samples`: a knowledge base of the sample documents in the local endpoint; once it is there, nothing.

It takes the steps that the RAG chat page takes, so what it makes can be taken apart there.
"""

from __future__ import annotations

import sys
from pathlib import Path

from services import backend, clients, settings
from services.clients import Identity
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
        report(build(clients.default_identity(), DOCUMENTS))
    finally:
        backend.stop()


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
            problem = progress.problem
            sys.exit(f"samples: {step.title}: {problem.title}. {problem.cause} {problem.fix}")
        say(f"{step.title}: {progress.detail or progress.state}")
    say(f"knowledge base {builder.knowledge_base_id}, bucket {builder.plan.bucket}: ask on the RAG chat page")


def say(text: str) -> None:
    """One line of progress."""
    print(f"samples: {text}", flush=True)


if __name__ == "__main__":
    main()
