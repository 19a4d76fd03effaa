"""What is to be built: one knowledge base, and the names of everything that it stands on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError
from botocore.session import Session

from services import clients, models
from services.clients import Identity
from services.knowledge_build.chunking import Chunking
from services.models import Model
from services.problems import Problem, from_exception

TAG = "bedrock-workbench"
"""Everything that can carry a tag carries this one, with the name of the knowledge base. Only what has it is
ever deleted."""

_NAME = re.compile(r"([0-9a-zA-Z][_-]?){1,100}")  # Name in the service model of bedrock-agent
_LONGEST_SLUG = 20  # leaves room for account and region in the bucket's name, and in those of the policies
_EMBEDDING_FAMILIES = ("amazon.titan-embed-", "cohere.embed-", "amazon.nova-2-multimodal-embed", "local.")


@dataclass(frozen=True)
class Plan:
    """A knowledge base to be built by `caller_arn` in one account and region.

    All other names follow from `name`, so the same name finds again what was built before. `documents` are
    the names of the files to be uploaded; () where they are in the bucket already.
    """

    name: str
    region: str
    partition: str
    account: str
    caller_arn: str
    embedding_model_id: str
    embedding_model_arn: str
    chunking: Chunking = field(default_factory=Chunking)
    documents: tuple[str, ...] = ()

    @property
    def slug(self) -> str:
        """The name in the letters that all services take."""
        slug = re.sub(r"[^a-z0-9]+", "-", self.name.lower())[:_LONGEST_SLUG].strip("-")
        return slug if slug[:1].isalpha() else f"kb-{slug}"[:_LONGEST_SLUG].strip("-")

    @property
    def bucket(self) -> str:
        """Bucket names are the world's: account and region keep this one from being somebody else's."""
        return f"{self.slug}-{self.account}-{self.region}"

    @property
    def bucket_arn(self) -> str:
        """The bucket's ARN."""
        return f"arn:{self.partition}:s3:::{self.bucket}"

    @property
    def prefix(self) -> str:
        """What the keys of the documents begin with."""
        return "documents/"

    @property
    def role(self) -> str:
        """The role that Bedrock assumes."""
        return f"BedrockKnowledgeBase-{self.slug}-{self.region}"

    @property
    def role_arn(self) -> str:
        """The role's ARN."""
        return f"arn:{self.partition}:iam::{self.account}:role/{self.role}"

    @property
    def collection(self) -> str:
        """The OpenSearch Serverless collection."""
        return f"{self.slug}-vectors"

    @property
    def index(self) -> str:
        """The vector index in the collection."""
        return f"{self.slug}-index"

    @property
    def data_source(self) -> str:
        """The data source of the knowledge base."""
        return "documents"

    @property
    def mark(self) -> str:
        """The description of what can carry no tag."""
        return f"Made by Bedrock Workbench for the knowledge base {self.name}"

    @property
    def tags(self) -> dict[str, str]:
        """The tag by which the workbench knows its own."""
        return {TAG: self.name}

    def policy_name(self, kind: str) -> str:
        """The name of one of the collection's three policies."""
        return f"{self.slug}-{kind}"


def name_fault(name: str) -> str:
    """What is wrong with the name of a knowledge base, as a sentence; "" where nothing is."""
    if not name:
        return "The knowledge base needs a name."
    if not _NAME.fullmatch(name):
        return "A name is up to 100 letters and digits, with single hyphens or underscores between them."
    return ""


def embedding_models(identity: Identity) -> tuple[Model, ...]:
    """The models of the live catalogue that embed text for a knowledge base, as far as the workbench can ask
    them for their dimensions.
    """
    return tuple(
        model
        for model in models.catalogue(identity).models
        if model.kind == "foundation"
        and model.callable
        and "EMBEDDING" in model.output_modalities
        and model.model_id.startswith(_EMBEDDING_FAMILIES)
    )


def make_plan(
    identity: Identity, name: str, model: Model, chunking: Chunking, documents: Sequence[str]
) -> Plan | Problem:
    """The plan for the caller of this identity (STS GetCallerIdentity)."""
    try:
        caller = clients.caller(identity)
    except Exception as error:  # noqa: BLE001 (told on the page, whatever it is)
        return from_exception(error, operation="GetCallerIdentity", identity=identity)
    return Plan(
        name=name,
        region=identity.region,
        partition=_partition(identity.region),
        account=caller.account,
        caller_arn=caller.arn,
        embedding_model_id=model.model_id,
        embedding_model_arn=model.arn,
        chunking=chunking,
        documents=tuple(documents),
    )


def one_word(plan: Plan) -> tuple[dict[str, Any], tuple[str | int, ...]]:
    """The body that has the embedding model embed one word, and where in its answer the vector is."""
    model_id = plan.embedding_model_id
    if model_id.startswith("cohere."):
        body = {"texts": ["word"], "input_type": "search_document", "embedding_types": ["float"]}
        return body, ("embeddings", "float", 0)
    if model_id.startswith("amazon.nova-"):
        single = {"embeddingPurpose": "GENERIC_INDEX", "text": {"truncationMode": "END", "value": "word"}}
        return {"taskType": "SINGLE_EMBEDDING", "singleEmbeddingParams": single}, (
            "embeddings",
            0,
            "embedding",
        )
    return {"inputText": "word"}, ("embedding",)


def _partition(region: str) -> str:
    try:
        return str(Session().get_partition_for_region(region))
    except BotoCoreError:  # a region newer than this botocore
        return "aws"
