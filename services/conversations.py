"""A chat of several turns with one model: its values, and the Converse request that continues it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from services import attachments, bodies
from services.capabilities import Capabilities, put_additional
from services.clients import Identity
from services.guardrails import GuardrailChoice, guardrail_of, put_guardrail
from services.models import Model
from services.problems import Problem, ProblemError
from services.prompt_caching import CachePoints, cache_points_of, is_point, put_cache_points
from services.replies import INVOKE_OPERATIONS, content_of
from services.runs import Call, Run
from services.runtime import converse_request
from services.tools import calls_in, request_members, typed_schema, typed_tools

JsonDict = dict[str, Any]


@dataclass(frozen=True)
class Settings:
    """What a pane sends with every prompt. A parameter not in `parameters` is not sent, which is not 0.

    `operation` is "Converse" or "InvokeModel"; whether the call streams is up to the model. `body_json` is
    InvokeModel's body as somebody edited it, with `bodies.PLACEHOLDER` for the prompt; "": it is generated.
    """

    model_id: str = ""
    system: str = ""
    parameters: Mapping[str, float | str] = field(default_factory=dict)
    stop_sequences: tuple[str, ...] = ()
    additional_json: str = ""
    tools_json: str = ""
    tool_choice: str = "auto"
    tool_mocks: Mapping[str, str] = field(default_factory=dict)
    answer_from_mocks: bool = False
    output_schema: str = ""
    send_output_schema: bool = True
    operation: str = "Converse"
    body_json: str = ""
    guardrail: GuardrailChoice = field(default_factory=GuardrailChoice)
    cache_points: CachePoints = field(default_factory=CachePoints)


@dataclass(frozen=True)
class Turn:
    """One prompt and what came of it.

    `prompt` holds Converse content blocks. `run` is None while the reply streams, and for turns that came
    with another run: those have `reply`, the assistant's content blocks, alone. `problem` is set where the
    prompt was refused before any call was made. `file_labels` are the names that the files of the prompt came
    with, in the order of their blocks.
    """

    prompt: tuple[JsonDict, ...]
    run: Run | None = None
    reply: tuple[JsonDict, ...] = ()
    problem: Problem | None = None
    file_labels: tuple[str, ...] = ()

    @property
    def ended_at(self) -> float | None:
        """When the reply ended, in Unix seconds; None without a run."""
        return self.run.started_at.timestamp() + self.run.latency_ms / 1000 if self.run else None

    @property
    def prompt_text(self) -> str:
        """The words of the prompt, without its files."""
        return "\n\n".join(block["text"] for block in self.prompt if "text" in block)

    @property
    def is_tool_result(self) -> bool:
        """Whether the prompt answers tool calls of the reply before it."""
        return any("toolResult" in block for block in self.prompt)


@dataclass
class Pane:
    """One chat beside others: its settings and turns. `key` names its stream; it stays when panes move.

    A pane that is not `linked` is asked by itself, not by the prompt that goes to all. A `halted` pane was
    stopped: until it is asked again it sends no tool results by itself.
    """

    settings: Settings
    turns: list[Turn] = field(default_factory=list)
    key: str = field(default_factory=lambda: uuid.uuid4().hex)
    linked: bool = True
    halted: bool = False

    def copy(self) -> Pane:
        """The same settings and turns under a new key, to go another way from here."""
        return Pane(self.settings, [turn for turn in self.turns if turn.run or turn.reply])


def with_text(prompt: Sequence[JsonDict], text: str) -> tuple[JsonDict, ...]:
    """The prompt with other words; its files stay."""
    return ({"text": text}, *(block for block in prompt if "text" not in block))


class RefusedError(ProblemError):
    """A prompt that the service would refuse; `problem` says why and what to change."""


def reply_content(run: Run) -> list[JsonDict]:
    """The assistant's content blocks of a run, in Converse's shapes; [] where nothing arrived."""
    return content_of(run.call.operation, run.response or {})


def history(turns: Iterable[Turn]) -> list[JsonDict]:
    """The turns as Converse messages; turns without a usable reply are left out, so that the roles alternate.

    Replies go back verbatim (a reasoning block without its signature is a 400). Of a reply that was cut off
    only the text goes back: its last reasoning or tool block is not whole. Blank text blocks, which Converse
    refuses, are dropped.
    """
    messages: list[JsonDict] = []
    for turn in turns:
        blocks = reply_content(turn.run) if turn.run else list(turn.reply)
        if turn.run and turn.run.state != "done":
            blocks = [block for block in blocks if "text" in block]
        blocks = [block for block in blocks if not ("text" in block and not block["text"].strip())]
        if blocks and turn.prompt:
            messages.append({"role": "user", "content": list(turn.prompt)})
            messages.append({"role": "assistant", "content": blocks})
    return messages


def waiting_calls(turns: Iterable[Turn]) -> list[JsonDict]:
    """The `toolUse` blocks whose results the model waits for; [] where the next prompt may be any."""
    last = history(turns)[-1:]
    return calls_in(last[0]["content"]) if last else []


def tool_steps(turns: Sequence[Turn]) -> int:
    """How many turns in a row, up to the last one, answer tool calls."""
    return next((n for n, turn in enumerate(reversed(turns)) if not turn.is_tool_result), len(turns))


def tool_names(turns: Iterable[Turn]) -> dict[str, str]:
    """The name of every tool that was called, by `toolUseId`."""
    replies = (reply_content(turn.run) if turn.run else turn.reply for turn in turns)
    calls = (block["toolUse"] for reply in replies for block in reply if "toolUse" in block)
    return {str(call.get("toolUseId")): str(call.get("name", "?")) for call in calls}


def sent_parameters(settings: Settings, capabilities: Capabilities) -> dict[str, float | str]:
    """The parameters that go out: those that are set, that the model has, and that it does not refuse."""
    return {
        name: value
        for name, value in settings.parameters.items()
        if (name in capabilities.bounds or name in capabilities.choices) and name not in capabilities.refused
    }


def converse_call(
    settings: Settings,
    model: Model,
    turns: Sequence[Turn],
    prompt: Sequence[JsonDict],
    *,
    identity: Identity,
    user: str,
    tags: Mapping[str, str],
) -> Call:
    """The call that continues the chat with this prompt. RefusedError where the service would say no."""
    _refuse_what_cannot_work(settings, model)
    _refuse_to_leave_calls_open(turns, prompt)
    if problem := attachments.refused(prompt, history(turns), model):
        raise RefusedError(problem)
    streams = model.capabilities.streaming is not False
    if settings.operation == "InvokeModel":
        operation = "InvokeModelWithResponseStream" if streams else "InvokeModel"
        request = {"modelId": model.model_id, "body": _body(settings, model, turns, prompt)}
    else:
        operation = "ConverseStream" if streams else "Converse"
        request = _converse(settings, model, turns, prompt)
    put_guardrail(request, operation, settings.guardrail)
    return Call(
        service="bedrock-runtime",
        operation=operation,
        request=request,
        model_id=model.model_id,
        identity=identity,
        user=user,
        tags=dict(tags),
    )


def generated_body(
    settings: Settings, model: Model, turns: Sequence[Turn], prompt: Sequence[JsonDict]
) -> JsonDict:
    """InvokeModel's body for this prompt, from the settings and the turns. RefusedError where it has none."""
    fmt = bodies.format_of(model)
    if fmt is None:
        raise RefusedError(
            _bad_body("The body format of this model is not known.", "Write the body yourself")
        )
    request = _converse(settings, model, turns, prompt)
    inference = dict(request.get("inferenceConfig") or {})
    ask = bodies.Ask(
        messages=request["messages"],
        system=request.get("system") or (),
        stop_sequences=tuple(inference.pop("stopSequences", ())),
        parameters=inference,
        additional=request.get("additionalModelRequestFields") or {},
        capabilities=model.capabilities,
    )
    try:
        return bodies.build(fmt, ask)
    except bodies.BodyError as error:
        raise RefusedError(_bad_body(str(error), "Ask through Converse, or start a new chat")) from error


def _body(settings: Settings, model: Model, turns: Sequence[Turn], prompt: Sequence[JsonDict]) -> JsonDict:
    if not settings.body_json.strip():
        return generated_body(settings, model, turns, prompt)
    if files := [name for block in prompt for name in block if name != "text"]:
        cause = f"An edited body takes the prompt's words alone, and it has an attachment ({files[0]})."
        raise RefusedError(_bad_body(cause, "Take the files out, or reset the body to the generated one"))
    try:
        return bodies.edited(settings.body_json, Turn(prompt=tuple(prompt)).prompt_text)
    except bodies.BodyError as error:
        raise RefusedError(_bad_body(str(error), "Correct the body")) from error


def _converse(
    settings: Settings, model: Model, turns: Sequence[Turn], prompt: Sequence[JsonDict]
) -> JsonDict:
    """The request of Converse; InvokeModel's generated bodies are written from it."""
    additional = _additional(settings.additional_json)
    inference: dict[str, Any] = {
        name: value
        for name, value in sent_parameters(settings, model.capabilities).items()
        if not put_additional(additional, model.capabilities, name, value)
    }
    if settings.stop_sequences:
        inference["stopSequences"] = list(settings.stop_sequences)
    request = converse_request(
        model.model_id,
        [*history(turns), {"role": "user", "content": list(prompt)}],
        system=settings.system,
        inference_config=inference,
        additional=additional or None,
    )
    request |= _tool_members(settings, request["messages"])
    put_cache_points(request, settings.cache_points, model.capabilities)
    return request


def from_run(run: Run) -> Pane:
    """A pane that stands where a run ended: same model, parameters, system prompt and messages.

    Of InvokeModel's body only the last prompt is told apart; the rest of it comes back as an edited body.
    """
    request = run.call.request
    if run.call.operation in INVOKE_OPERATIONS:
        return _from_invoke_run(run)
    inference = dict(request.get("inferenceConfig") or {})
    stops = tuple(inference.pop("stopSequences", ()))
    additional = request.get("additionalModelRequestFields")
    tools_json, tool_choice = typed_tools(request)
    settings = Settings(
        model_id=run.call.model_id,
        system="\n\n".join(block["text"] for block in request.get("system") or [] if "text" in block),
        parameters=inference,
        stop_sequences=stops,
        additional_json=json.dumps(additional, indent=2) if additional else "",
        tools_json=tools_json,
        tool_choice=tool_choice,
        output_schema=typed_schema(request),
        guardrail=guardrail_of(request),
        cache_points=cache_points_of(request),
    )
    turns: list[Turn] = []
    for message in request.get("messages") or []:
        content = tuple(block for block in message.get("content") or () if not is_point(block))
        if message.get("role") == "user":
            turns.append(Turn(prompt=content))
        elif turns:
            turns[-1] = replace(turns[-1], reply=content)
    if not turns:  # a managed prompt, sent without a message beside it
        turns.append(Turn(prompt=()))
    turns[-1] = replace(turns[-1], run=run)
    return Pane(settings, turns)


def _from_invoke_run(run: Run) -> Pane:
    request = run.call.request
    guardrail = guardrail_of(request)
    body = request.get("body")
    if isinstance(body, bytes):
        with suppress(ValueError):
            body = json.loads(body)
    if isinstance(body, dict) and guardrail.stream_mode:
        body = {name: value for name, value in body.items() if name != bodies.GUARDRAIL_CONFIG}
    text, prompt = bodies.template_of(body)
    settings = Settings(
        model_id=run.call.model_id, operation="InvokeModel", body_json=text, guardrail=guardrail
    )
    return Pane(settings, [Turn(prompt=({"text": prompt},) if prompt.strip() else (), run=run)])


def _refuse_what_cannot_work(settings: Settings, model: Model) -> None:
    if not model.callable:
        raise RefusedError(
            Problem(
                code="ModelNotCallable",
                title=f"{model.name} cannot be called by this ID",
                cause=model.why_not,
                fix="Use the inference profile." if model.use_instead else "Choose another model.",
                action="use_inference_profile" if model.use_instead else "choose_model",
                suggestion=model.use_instead or None,
            )
        )
    sent = sent_parameters(settings, model.capabilities)
    for conflict in model.capabilities.conflicts:
        if all(name in sent for name in conflict.names):
            first, second = conflict.names
            raise RefusedError(
                Problem(
                    code="ParameterConflict",
                    title=f"{first} and {second} cannot be sent together",
                    cause=conflict.reason,
                    fix=f"Clear {first} or {second} in this pane's parameters.",
                    action="edit_parameters",
                )
            )


def _refuse_to_leave_calls_open(turns: Sequence[Turn], prompt: Sequence[JsonDict]) -> None:
    answered = {block["toolResult"]["toolUseId"] for block in prompt if "toolResult" in block}
    if any(call.get("toolUseId") not in answered for call in waiting_calls(turns)):
        raise RefusedError(
            Problem(
                code="ToolResultMissing",
                title="The model waits for a tool result",
                cause="The last reply asked for a tool; Converse takes only its result as the next message.",
                fix="Send the results in the form of this pane; this prompt stays here and can then be sent.",
                action="retry",
            )
        )


def _tool_members(settings: Settings, messages: Sequence[JsonDict]) -> JsonDict:
    members = request_members(
        tools_json=settings.tools_json,
        choice=settings.tool_choice,
        output_schema=settings.output_schema if settings.send_output_schema else "",
        messages=messages,
    )
    if isinstance(members, Problem):
        raise RefusedError(members)
    return members


def _additional(text: str) -> JsonDict:
    if not text.strip():
        return {}
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise RefusedError(_bad_additional(f"It is not valid JSON: {error.msg} at {where}.")) from error
    if not isinstance(value, dict):
        raise RefusedError(_bad_additional("It is valid JSON, but not an object in braces."))
    return value


def _bad_additional(cause: str) -> Problem:
    return Problem(
        code="InvalidAdditionalFields",
        title="The additional request fields cannot be sent",
        cause=cause,
        fix='Write one JSON object, for example {"top_k": 50}, or clear the field.',
        action="edit_parameters",
    )


def _bad_body(cause: str, fix: str) -> Problem:
    return Problem(
        code="InvalidBody",
        title="The body cannot be sent",
        cause=cause,
        fix=f"{fix} in this pane's settings, under API.",
        action="edit_parameters",
    )
