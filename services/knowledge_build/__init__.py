"""From nothing to a knowledge base that answers: the steps, as calls that are shown and made alike.

>>> plan = make_plan(identity, "Manuals", model, Chunking(), ["a.pdf"])
>>> builder = start_build(identity, plan, {"a.pdf": content})
>>> builder.wait(); builder.knowledge_base_id
'AB12CD34EF'
"""

from __future__ import annotations

from collections.abc import Mapping

from services.clients import Identity
from services.knowledge_build import code
from services.knowledge_build.base_steps import BASE, SOURCE, SYNC
from services.knowledge_build.chunking import BOUNDS, FIELDS, STRATEGIES, Chunking, Strategy
from services.knowledge_build.collection_steps import ACCESS, COLLECTION, ENCRYPTION, INDEX, NETWORK
from services.knowledge_build.plan import Plan, embedding_models, make_plan, name_fault
from services.knowledge_build.runner import Builder, Progress, builders
from services.knowledge_build.step import Step
from services.knowledge_build.storage_steps import BUCKET, DOCUMENTS, ROLE

STEPS = (
    BUCKET,
    DOCUMENTS,
    ROLE,
    ENCRYPTION,
    NETWORK,
    ACCESS,
    COLLECTION,
    INDEX,
    BASE,
    SOURCE,
    SYNC,
)
"""In the order in which they are built; they are taken apart in reverse."""
PRICING_URL = "https://aws.amazon.com/opensearch-service/pricing/"


def start_build(identity: Identity, plan: Plan, files: Mapping[str, bytes]) -> Builder:
    """Build the plan in the background, from the first step that is not done. `files` are its documents."""
    return builders().start(identity, Builder(identity, plan, STEPS, files, "build"))


def start_taking_apart(identity: Identity, plan: Plan) -> Builder:
    """Delete in the background what the workbench made for the plan, and nothing else."""
    return builders().start(identity, Builder(identity, plan, STEPS, {}, "take apart"))


def program(plan: Plan) -> str:
    """The whole build as one Python file, to be run beside the documents."""
    parts = [(f"{number}. {step.title}", step.build(plan)) for number, step in enumerate(STEPS, 1)]
    return f'"""{plan.mark}. Run it in the folder of the documents."""\n\n' + code.program(parts, plan.region)


__all__ = [
    "BOUNDS",
    "FIELDS",
    "PRICING_URL",
    "STEPS",
    "STRATEGIES",
    "Builder",
    "Chunking",
    "Plan",
    "Progress",
    "Step",
    "Strategy",
    "builders",
    "embedding_models",
    "make_plan",
    "name_fault",
    "program",
    "start_build",
    "start_taking_apart",
]
