"""What a RAG chat asks for: its settings, and the calls of bedrock-agent-runtime that they make.

A setting that is "" or None is not sent, which is not the same as the service's default sent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from services.clients import Identity
from services.guardrails import DRAFT, GuardrailChoice
from services.locations import mapping
from services.runs import Call

JsonDict = dict[str, Any]

Mode = Literal["generate", "converse", "retrieve"]
"""RetrieveAndGenerate; Retrieve, then Converse with a prompt of one's own; Retrieve alone."""
SearchType = Literal["", "SEMANTIC", "HYBRID"]

KIND = "knowledge_base"
"""The kind of the runs of knowledge bases."""


@dataclass(frozen=True)
class RetrievalSettings:
    """How passages are found. `filter` is AWS's RetrievalFilter; {} for none."""

    number_of_results: int | None = None
    search_type: SearchType = ""
    filter: Mapping[str, Any] = field(default_factory=dict)
    reranker: str = ""
    reranked_results: int | None = None


@dataclass(frozen=True)
class RagSettings:
    """One way to ask a knowledge base.

    `prompt_template` of mode "generate" goes to AWS ($search_results$ must be in it); that of "converse" is
    filled here ($search_results$ and $query$). `parameters` are those of Converse's inferenceConfig.
    """

    knowledge_base_id: str = ""
    mode: Mode = "generate"
    model_id: str = ""
    retrieval: RetrievalSettings = field(default_factory=RetrievalSettings)
    prompt_template: str = ""
    decompose: bool = False
    guardrail: GuardrailChoice = field(default_factory=GuardrailChoice)
    parameters: Mapping[str, float] = field(default_factory=dict)
    stop_sequences: tuple[str, ...] = ()


@dataclass(frozen=True)
class Limit:
    """The numbers that AWS takes for a setting; `whole` where it takes no fractions."""

    minimum: float
    maximum: float
    whole: bool = True

    def clamp(self, value: Any) -> float | None:
        """The nearest number that is taken; None for what is no number."""
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
            return None
        nearest = min(max(value, self.minimum), self.maximum)
        return int(nearest) if self.whole else float(nearest)


RESULTS = Limit(1, 100)
PARAMETERS: Mapping[str, Limit] = {
    "temperature": Limit(0, 1, whole=False),
    "topP": Limit(0, 1, whole=False),
    "maxTokens": Limit(1, 65_536),
}
MOST_STOP_SEQUENCES = 4
DEFAULT_RESULTS = 5
"""What the service returns where no number is sent."""


def clamped(settings: RagSettings) -> tuple[RagSettings, list[str]]:
    """The settings with every number within AWS's limits, and a sentence for each one changed.

    Settings out of a link or of an imported run may hold anything.
    """
    notes: list[str] = []

    def within(value: Any, limit: Limit, name: str) -> Any:
        nearest = None if value is None else limit.clamp(value)
        if nearest != value:
            now = "it is not sent" if nearest is None else f"now {nearest:g}"
            notes.append(
                f"{name} {value} is not taken: AWS takes {limit.minimum:g} to {limit.maximum:g}; {now}."
            )
        return nearest

    retrieval = settings.retrieval
    search_type: SearchType = retrieval.search_type
    if search_type not in ("", "SEMANTIC", "HYBRID"):
        notes.append(f"There is no search type {search_type}: the choice is the service's.")
        search_type = ""
    retrieval = replace(
        retrieval,
        number_of_results=within(retrieval.number_of_results, RESULTS, "The number of results"),
        search_type=search_type,
        reranked_results=within(retrieval.reranked_results, RESULTS, "The number of reranked results"),
    )
    parameters = {
        name: within(value, PARAMETERS[name], name) if name in PARAMETERS else value
        for name, value in settings.parameters.items()
    }
    if len(settings.stop_sequences) > MOST_STOP_SEQUENCES:
        notes.append(f"AWS takes {MOST_STOP_SEQUENCES} stop sequences: the others are left out.")
    found = replace(
        settings,
        retrieval=retrieval,
        parameters={name: value for name, value in parameters.items() if value is not None},
        stop_sequences=settings.stop_sequences[:MOST_STOP_SEQUENCES],
    )
    return found, notes


def retrieval_configuration(settings: RetrievalSettings, region: str) -> JsonDict:
    """KnowledgeBaseRetrievalConfiguration; {} where nothing is set."""
    search: JsonDict = {}
    if settings.number_of_results is not None:
        search["numberOfResults"] = settings.number_of_results
    if settings.search_type:
        search["overrideSearchType"] = settings.search_type
    if settings.filter:
        search["filter"] = json.loads(json.dumps(dict(settings.filter)))
    if settings.reranker:
        reranking: JsonDict = {
            "modelConfiguration": {"modelArn": foundation_model_arn(settings.reranker, region)}
        }
        if settings.reranked_results is not None:
            reranking["numberOfRerankedResults"] = settings.reranked_results
        search["rerankingConfiguration"] = {
            "type": "BEDROCK_RERANKING_MODEL",
            "bedrockRerankingConfiguration": reranking,
        }
    return {"vectorSearchConfiguration": search} if search else {}


def retrieve_call(question: str, settings: RagSettings, identity: Identity, user: str = "local") -> Call:
    """The Retrieve call of a question."""
    request: JsonDict = {
        "knowledgeBaseId": settings.knowledge_base_id,
        "retrievalQuery": {"text": question},
    }
    if configuration := retrieval_configuration(settings.retrieval, identity.region):
        request["retrievalConfiguration"] = configuration
    if settings.guardrail.identifier and settings.mode == "retrieve":
        request["guardrailConfiguration"] = _guardrail(settings.guardrail)
    return Call(
        operation="Retrieve",
        request=request,
        identity=identity,
        service="bedrock-agent-runtime",
        kind=KIND,
        user=user,
    )


def generate_call(
    question: str,
    settings: RagSettings,
    identity: Identity,
    user: str = "local",
    *,
    session_id: str | None = None,
    stream: bool = True,
) -> Call:
    """The RetrieveAndGenerateStream (or RetrieveAndGenerate) call of a question.

    `session_id` continues a session: the service then knows the questions and answers before.
    """
    knowledge_base: JsonDict = {
        "knowledgeBaseId": settings.knowledge_base_id,
        "modelArn": settings.model_id,
    }
    if configuration := retrieval_configuration(settings.retrieval, identity.region):
        knowledge_base["retrievalConfiguration"] = configuration
    if generation := _generation(settings):
        knowledge_base["generationConfiguration"] = generation
    if settings.decompose:
        transformation = {"queryTransformationConfiguration": {"type": "QUERY_DECOMPOSITION"}}
        knowledge_base["orchestrationConfiguration"] = transformation
    request: JsonDict = {
        "input": {"text": question},
        "retrieveAndGenerateConfiguration": {
            "type": "KNOWLEDGE_BASE",
            "knowledgeBaseConfiguration": knowledge_base,
        },
    }
    if session_id:
        request["sessionId"] = session_id
    return Call(
        operation="RetrieveAndGenerateStream" if stream else "RetrieveAndGenerate",
        request=request,
        identity=identity,
        service="bedrock-agent-runtime",
        kind=KIND,
        model_id=settings.model_id,
        user=user,
    )


def settings_of(call: Call, *, before: RagSettings | None = None) -> RagSettings:
    """The settings that made a call, to reopen a run; `before` has what the call does not say."""
    start = before or RagSettings()
    request = call.request
    if call.operation == "Retrieve":
        guardrail = _guardrail_of(request)
        return replace(
            start,
            mode="retrieve",
            knowledge_base_id=str(request.get("knowledgeBaseId") or ""),
            retrieval=_retrieval_of(request),
            guardrail=guardrail if guardrail.identifier else start.guardrail,
        )
    configuration = mapping(request.get("retrieveAndGenerateConfiguration"))
    knowledge_base = mapping(configuration.get("knowledgeBaseConfiguration"))
    generation = mapping(knowledge_base.get("generationConfiguration"))
    text = dict(mapping(mapping(generation.get("inferenceConfig")).get("textInferenceConfig")))
    stop = text.pop("stopSequences", None)
    orchestration = mapping(knowledge_base.get("orchestrationConfiguration"))
    return RagSettings(
        knowledge_base_id=str(knowledge_base.get("knowledgeBaseId") or ""),
        model_id=str(knowledge_base.get("modelArn") or ""),
        retrieval=_retrieval_of(knowledge_base),
        prompt_template=str(mapping(generation.get("promptTemplate")).get("textPromptTemplate") or ""),
        decompose="queryTransformationConfiguration" in orchestration,
        guardrail=_guardrail_of(generation),
        parameters=text,
        stop_sequences=tuple(stop or ()),
    )


def foundation_model_arn(model_id: str, region: str) -> str:
    """The ARN of a foundation model; an ARN stays as it is. Rerankers are named by ARN alone."""
    partition = "aws-cn" if region.startswith("cn-") else "aws-us-gov" if "-gov-" in region else "aws"
    return (
        model_id
        if model_id.startswith("arn:")
        else f"arn:{partition}:bedrock:{region}::foundation-model/{model_id}"
    )


def _generation(settings: RagSettings) -> JsonDict:
    generation: JsonDict = {}
    if settings.prompt_template.strip():
        generation["promptTemplate"] = {"textPromptTemplate": settings.prompt_template}
    text: JsonDict = dict(settings.parameters)
    if settings.stop_sequences:
        text["stopSequences"] = list(settings.stop_sequences)
    if text:
        generation["inferenceConfig"] = {"textInferenceConfig": text}
    if settings.guardrail.identifier:
        generation["guardrailConfiguration"] = _guardrail(settings.guardrail)
    return generation


def _guardrail(choice: GuardrailChoice) -> JsonDict:
    """Knowledge bases take the guardrail's id alone, not its ARN."""
    return {
        "guardrailId": choice.identifier.rpartition("/")[2],
        "guardrailVersion": choice.version or DRAFT,
    }


def _guardrail_of(holder: Mapping[str, Any]) -> GuardrailChoice:
    found = mapping(holder.get("guardrailConfiguration"))
    if not found.get("guardrailId"):
        return GuardrailChoice()
    return GuardrailChoice(str(found["guardrailId"]), str(found.get("guardrailVersion") or DRAFT))


def _retrieval_of(holder: Mapping[str, Any]) -> RetrievalSettings:
    search = mapping(mapping(holder.get("retrievalConfiguration")).get("vectorSearchConfiguration"))
    reranking = mapping(mapping(search.get("rerankingConfiguration")).get("bedrockRerankingConfiguration"))
    arn = str(mapping(reranking.get("modelConfiguration")).get("modelArn") or "")
    return RetrievalSettings(
        number_of_results=search.get("numberOfResults"),
        search_type=search.get("overrideSearchType") or "",
        filter=mapping(search.get("filter")),
        reranker=arn.rpartition("/")[2],
        reranked_results=reranking.get("numberOfRerankedResults"),
    )
