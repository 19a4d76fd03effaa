"""What the model playground does: panes side by side, and the prompts that go to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from services import attachments, models
from services.clients import Identity
from services.conversations import (
    Pane,
    RefusedError,
    Settings,
    Turn,
    converse_call,
    tool_steps,
    waiting_calls,
    with_text,
)
from services.models import Catalogue, Model
from services.problems import Problem
from services.prompt_exchange import call_by_arn, with_values
from services.streaming import ReplyStream, StreamHub
from services.tools import MOST_STEPS, ToolResult, mocked_results, result_blocks

MOST_PANES = 6


@dataclass(frozen=True)
class Playground:
    """The panes of one browser session, with the hub that streams their replies and who is asking.

    `values` are those of the variables in system prompts and managed prompts.
    """

    panes: list[Pane]
    hub: StreamHub
    identity: Identity
    username: str
    values: Mapping[str, str] = field(default_factory=dict)

    def model_of(self, pane: Pane) -> Model | None:
        """The pane's model as the catalogue knows it now, or as far as its ID alone tells."""
        try:
            return models.resolve(self.identity, pane.settings.model_id) if pane.settings.model_id else None
        except ValueError:
            return None

    def live_reply(self, pane: Pane) -> ReplyStream | None:
        """The reply that streams into this pane, until `settle` has put its run into the turn."""
        waits = pane.turns and pane.turns[-1].run is None and pane.turns[-1].problem is None
        return self.hub.streams.get(pane.key) if waits else None

    @property
    def any_live(self) -> bool:
        """Whether any pane still streams."""
        return any(self.live_reply(pane) for pane in self.panes)

    def settle(self) -> None:
        """Put the run of every reply that has ended, or was stopped, into its turn."""
        for pane in self.panes:
            stream = self.hub.streams.get(pane.key)
            if stream is None or stream.live or not pane.turns:
                continue
            last = pane.turns[-1]
            if last.problem is None and (last.run is None or last.run.id == stream.id):
                pane.turns[-1] = replace(last, run=stream.run())

    def send(self, prompt: Sequence[dict[str, Any]], file_labels: tuple[str, ...] = ()) -> None:
        """One prompt to every linked pane; see `send_to`.

        `file_labels` are the names that the files among the blocks came with.
        """
        linked = [pane for pane in self.panes if pane.linked]
        for pane in linked:
            self._stop(pane)
        self.settle()
        for pane in linked:
            self._ask(pane, prompt, file_labels=file_labels)

    def document_names(self) -> set[str]:
        """The names of all documents in the panes: a request with two of one name is refused."""
        return {
            name
            for pane in self.panes
            for turn in pane.turns
            for name in attachments.document_names(turn.prompt)
        }

    def send_to(self, pane: Pane, prompt: Sequence[dict[str, Any]]) -> None:
        """A prompt to one pane. If it still streams it is stopped first, and keeps what it has."""
        self._stop(pane)
        self.settle()
        self._ask(pane, prompt)

    def answer(self, pane: Pane, results: Sequence[ToolResult]) -> None:
        """The results of the tool calls that the pane's model waits for; nothing while they are under way."""
        last = pane.turns[-1]
        under_way = last.is_tool_result and not (last.run or last.problem)
        if waiting_calls(pane.turns) and not under_way:
            self._ask(pane, result_blocks(results))

    def answer_from_mocks(self) -> None:
        """Answer the calls that have just arrived, in panes that do so by themselves, where all have mocks.

        Not in a pane that was stopped or opened from a run, and at most `MOST_STEPS` times in a row.
        """
        for pane in self.panes:
            if not pane.settings.answer_from_mocks or pane.halted or not pane.turns:
                continue
            run, stream = pane.turns[-1].run, self.hub.streams.get(pane.key)
            if not (run and stream and run.id == stream.id and tool_steps(pane.turns) < MOST_STEPS):
                continue
            if results := mocked_results(waiting_calls(pane.turns), pane.settings.tool_mocks):
                self.answer(pane, results)

    def send_again(self, pane: Pane, refused: Turn) -> None:
        """A prompt that was refused while the pane waited for tool results, now at the end; once."""
        place = next((n for n, turn in enumerate(pane.turns) if turn.problem is refused.problem), None)
        if place is None:
            return
        del pane.turns[place]
        self._stop(pane)
        self.settle()
        self._ask(pane, refused.prompt, file_labels=refused.file_labels)

    def stop(self, pane: Pane) -> None:
        """Stop the pane's reply; what has arrived stays, and nothing more is sent by itself."""
        pane.halted = True
        self._stop(pane)

    def stop_all(self) -> None:
        """Stop every pane."""
        for pane in self.panes:
            self.stop(pane)
        self.hub.stop_all()

    def edit(self, pane: Pane, turn: int, text: str) -> None:
        """Ask again from an earlier turn, with other words; what came after it leaves the pane.

        Its runs stay in the history.
        """
        edited = pane.turns[turn]
        self._stop(pane)
        self.settle()
        del pane.turns[turn:]
        self._ask(pane, with_text(edited.prompt, text), file_labels=edited.file_labels)

    def fork(self, pane: Pane, turn: int, text: str) -> None:
        """Ask with other words from an earlier turn, in a new pane beside this one."""
        branch = Pane(pane.settings, pane.turns[:turn], linked=pane.linked)
        self.panes.insert(self.panes.index(pane) + 1, branch)
        edited = pane.turns[turn]
        self._ask(branch, with_text(edited.prompt, text), file_labels=edited.file_labels)

    def retry(self, pane: Pane, turn: Turn) -> None:
        """The prompt of the pane's last turn once more, in its place.

        Nothing when the pane has gone on since that turn was drawn, as after the first click of two: each
        request may be billed.
        """
        last = pane.turns[-1] if pane.turns else None
        if last is None or last.problem is not turn.problem or _run_id(last) != _run_id(turn):
            return
        pane.turns.pop()
        failed = last.run if last.run and last.run.state == "failed" else None
        attempt = failed.call.attempt + 1 if failed else 1
        self._ask(pane, last.prompt, attempt, last.file_labels)

    def add(self, like: Pane) -> None:
        """One more pane beside the one it copies."""
        self.panes.insert(self.panes.index(like) + 1, like.copy())

    def remove(self, pane: Pane) -> None:
        """Close a pane and stop its reply."""
        self._drop_stream(pane)
        self.panes.remove(pane)
        if len(self.panes) == 1:
            self.panes[0].linked = True

    def clear(self, pane: Pane) -> None:
        """A new chat in this pane, with the same model and settings."""
        self._drop_stream(pane)
        pane.turns.clear()

    def copy_settings(self, source: Pane) -> None:
        """System prompt and parameters of one pane for all panes; each keeps its model and edited body."""
        for pane in self.panes:
            own = pane.settings
            pane.settings = replace(source.settings, model_id=own.model_id, body_json=own.body_json)

    def _stop(self, pane: Pane) -> None:
        if stream := self.hub.streams.get(pane.key):
            stream.stop()

    def _drop_stream(self, pane: Pane) -> None:
        if stream := self.hub.streams.pop(pane.key, None):
            stream.stop()

    def _ask(
        self,
        pane: Pane,
        prompt: Sequence[dict[str, Any]],
        attempt: int = 1,
        file_labels: tuple[str, ...] = (),
    ) -> None:
        turn = Turn(prompt=tuple(prompt), file_labels=file_labels)
        pane.halted = False
        try:
            model = self.model_of(pane)
            if model is None:
                raise RefusedError(_no_model(pane.settings.model_id))
            call = converse_call(
                with_values(pane.settings, self.values),
                model,
                pane.turns,
                prompt,
                identity=self.identity,
                user=self.username,
                tags={"page": "model_playground", "pane": pane.key},
            )
            parent_id = _asked_by(pane.turns) if turn.is_tool_result else None
            request = call_by_arn(dict(call.request), self.identity, self.values)
            call = replace(call, request=request, attempt=attempt, parent_id=parent_id)
            self.hub.start(pane.key, call)
        except RefusedError as refused:
            turn = replace(turn, problem=refused.problem)
        pane.turns.append(turn)


def first_panes(catalogue: Catalogue) -> list[Pane]:
    """Two panes to compare, so that a first visit needs nothing but a prompt."""
    chosen = [model.model_id for model in models.defaults(catalogue, 2)]
    return [Pane(Settings(model_id=model_id)) for model_id in (chosen * 2)[:2] or [""]]


def untouched(panes: Sequence[Pane]) -> bool:
    """Whether nothing was chosen or asked yet, as when there were no models to choose from."""
    return not any(pane.turns or pane.settings.model_id for pane in panes)


def _run_id(turn: Turn) -> str | None:
    return turn.run.id if turn.run else None


def _asked_by(turns: Sequence[Turn]) -> str | None:
    """The ID of the run whose calls the next turn answers."""
    return next((t.run.id for t in reversed(turns) if t.run and t.run.state == "done"), None)


def _no_model(model_id: str) -> Problem:
    if model_id:
        cause = f"“{model_id}” is neither in the catalogue nor a well-formed model ID or ARN."
    else:
        cause = "No model is chosen in this pane."
    return Problem(
        code="NoModel",
        title="This pane has no model to ask",
        cause=cause,
        fix="Choose a model at the top of the pane, then press Retry.",
        action="retry",
    )
