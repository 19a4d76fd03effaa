"""Between a pane of the playground and a managed prompt: what goes over and what does not; calls by ARN."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from services import prompts
from services.capabilities import Capabilities, put_additional
from services.clients import Identity
from services.conversations import Settings, Turn
from services.prompt_template import fill, variables
from services.prompts import Variant

JsonDict = dict[str, Any]

# What Prompt Management takes. Source: the shapes of these names in botocore's bedrock-agent model.
MOST_VARIABLES = 20  # PromptInputVariablesList
MOST_STOP_SEQUENCES = 4  # StopSequences
HIGHEST = {"temperature": 1.0, "topP": 1.0}  # Temperature, TopP
LONGEST_DESCRIPTION = 200  # PromptDescription
NAME = r"([0-9a-zA-Z][_-]?){1,100}"  # PromptName
MODEL_ID = (  # PromptModelIdentifier
    r"(arn:aws(-[^:]{1,12})?:(bedrock|sagemaker):[a-z0-9-]{1,20}:([0-9]{12})?:([a-z-]+/)?)?"
    r"([a-zA-Z0-9.-]{1,63}){0,2}(([:][a-z0-9-]{1,63}){0,2})?(/[a-z0-9]{1,12})?"
)

VARIANT_NAME = "default"
_TEXT_PARAMETERS = ("temperature", "topP", "maxTokens")
_CARRIED = {"model_id", "system", "parameters", "stop_sequences", "additional_json"}
_NOT_WITH_A_PROMPT = ("additionalModelRequestFields", "inferenceConfig", "system", "toolConfig")


@dataclass(frozen=True)
class Draft:
    """A prompt's variant as CreatePrompt and UpdatePrompt take it.

    `refused` are sentences about what AWS would refuse, each to be put right first; `lost` are sentences
    about what the pane has and a managed prompt does not hold.
    """

    variant: JsonDict
    refused: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


def draft(settings: Settings, capabilities: Capabilities, template: str, turns: Sequence[Turn]) -> Draft:
    """The variant that holds this pane's settings and the template.

    With a system prompt it is of the type CHAT, else TEXT. Parameters that Converse has no name for go into
    `additionalModelRequestFields`, as they do in a call.
    """
    additional, bad_json = _additional(settings.additional_json)
    inference: JsonDict = {}
    lost = [*_unknown_settings(settings), *_turns_lost(turns)]
    for name, value in settings.parameters.items():
        if name in _TEXT_PARAMETERS:
            inference[name] = value
        elif not put_additional(additional, capabilities, name, value):
            lost.append(f"{name} is not kept: this model has no field for it.")
    if settings.stop_sequences:
        inference["stopSequences"] = list(settings.stop_sequences)
    variant: JsonDict = {"name": VARIANT_NAME, **_template(settings.system, template)}
    if settings.model_id:
        variant["modelId"] = settings.model_id
    if inference:
        variant["inferenceConfiguration"] = {"text": inference}
    if additional:
        variant["additionalModelRequestFields"] = additional
    return Draft(variant, (*bad_json, *_refused(settings, template, inference)), tuple(lost))


def name_refused(name: str, description: str) -> tuple[str, ...]:
    """Why a prompt cannot be called so, as sentences; () where it can."""
    sentences = []
    if not re.fullmatch(NAME, name):
        sentences.append(
            "A prompt's name has up to 100 letters and digits, with single - or _ between them or at its end."
        )
    if len(description) > LONGEST_DESCRIPTION:
        sentences.append(
            f"A description has at most {LONGEST_DESCRIPTION} characters; this one has {len(description)}."
        )
    return tuple(sentences)


def settings_from(variant: Variant, settings: Settings, *, has_model: bool) -> tuple[Settings, list[str]]:
    """A pane's settings with a managed prompt put in, and sentences about what could not be.

    `has_model` says whether the identity has the prompt's model; without it the pane keeps its own.
    """
    said = []
    if variant.model_id and not has_model:
        said.append(
            f"The prompt is for {variant.model_id}, which this identity does not list: the model is kept."
        )
    if variant.messages:
        count = len(variant.messages)
        said.append(
            f"{count} {'message' if count == 1 else 'messages'} before the last one of the prompt's chat "
            "stay out; call the prompt by its ARN to send them."
        )
    if variant.tools:
        said.append("The prompt's tools stay out; call the prompt by its ARN to use them.")
    inference = dict(variant.inference)
    stops = tuple(inference.pop("stopSequences", ()))
    loaded = replace(
        settings,
        model_id=variant.model_id if variant.model_id and has_model else settings.model_id,
        system=variant.system,
        parameters=inference,
        stop_sequences=stops,
        additional_json=json.dumps(variant.additional, indent=2) if variant.additional else "",
    )
    return loaded, said


def pane_variables(identity: Identity, settings: Settings) -> tuple[str, ...]:
    """The variables that a pane needs: of the managed prompt that it calls, else of its system prompt.

    Source: GetPrompt for a managed prompt. Raises PromptError.
    """
    if not prompts.is_prompt_arn(settings.model_id):
        return variables(settings.system)
    variant = prompts.by_arn(identity, settings.model_id).variant
    return variant.variables if variant else ()


def with_values(settings: Settings, values: Mapping[str, str]) -> Settings:
    """The settings as they are sent: the variables of the system prompt have their values."""
    system = fill(settings.system, values)
    return settings if system == settings.system else replace(settings, system=system)


def call_by_arn(request: JsonDict, identity: Identity, values: Mapping[str, str]) -> JsonDict:
    """The arguments of Converse where `modelId` is a prompt's ARN; any other request comes back as it is.

    AWS refuses the fields that belong to the prompt itself, so they are left out. A message without content
    is none: then the prompt is sent as it is. Where the prompt's variables cannot be read (no right to
    GetPrompt), all values go out and AWS judges.
    """
    model_id = str(request["modelId"])
    if not prompts.is_prompt_arn(model_id):
        return request
    try:
        variant = prompts.by_arn(identity, model_id).variant
        names = variant.variables if variant else ()
    except prompts.PromptError:
        names = tuple(values)
    changed = {name: value for name, value in request.items() if name not in _NOT_WITH_A_PROMPT}
    changed["messages"] = [message for message in request["messages"] if message["content"]]
    if not changed["messages"]:
        del changed["messages"]
    if given := {name: {"text": values[name]} for name in names if name in values}:
        changed["promptVariables"] = given
    return changed


def _template(system: str, template: str) -> JsonDict:
    names = variables(system, template)
    declared = {"inputVariables": [{"name": name} for name in names]} if names else {}
    if not system.strip():
        return {"templateType": "TEXT", "templateConfiguration": {"text": {"text": template, **declared}}}
    chat = {
        "system": [{"text": system}],
        "messages": [{"role": "user", "content": [{"text": template}]}],
        **declared,
    }
    return {"templateType": "CHAT", "templateConfiguration": {"chat": chat}}


def _additional(text: str) -> tuple[JsonDict, tuple[str, ...]]:
    if not text.strip():
        return {}, ()
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        return {}, ("The additional request fields of the pane are no JSON object: correct or clear them.",)
    return value, ()


def _refused(settings: Settings, template: str, inference: JsonDict) -> list[str]:
    sentences = []
    if not template.strip():
        sentences.append("The template is empty: write one first.")
    if (count := len(variables(settings.system, template))) > MOST_VARIABLES:
        sentences.append(f"A managed prompt takes {MOST_VARIABLES} variables; this one has {count}.")
    if (count := len(settings.stop_sequences)) > MOST_STOP_SEQUENCES:
        sentences.append(
            f"A managed prompt takes {MOST_STOP_SEQUENCES} stop sequences; this pane has {count}."
        )
    for name, highest in HIGHEST.items():
        if float(inference.get(name, 0)) > highest:
            sentences.append(
                f"A managed prompt takes {name} up to {highest:g}; here it is {inference[name]:g}."
            )
    if prompts.is_prompt_arn(settings.model_id):
        sentences.append("The pane calls a managed prompt itself: choose a model for it first.")
    elif settings.model_id and not re.fullmatch(MODEL_ID, settings.model_id):
        sentences.append(f"A managed prompt does not take {settings.model_id} as its model.")
    return sentences


def _unknown_settings(settings: Settings) -> list[str]:
    """Settings of a pane that a prompt has no place for, whatever they are."""
    empty = type(settings)()
    names = [
        field.name
        for field in fields(settings)
        if field.name not in _CARRIED and getattr(settings, field.name) != getattr(empty, field.name)
    ]
    return [f"The pane's {name.replace('_', ' ')} is not kept." for name in names]


def _turns_lost(turns: Sequence[Turn]) -> list[str]:
    if not turns:
        return []
    files = any("text" not in block for turn in turns for block in turn.prompt)
    number = "turn is" if len(turns) == 1 else f"{len(turns)} turns are"
    return [f"The pane's {number} not kept{', nor are the files' if files else ''}."]
