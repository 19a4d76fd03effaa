"""What the RAG chat does: one question to one or two ways of asking knowledge bases, side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from services import replies
from services.citations import RAG_OPERATIONS, session_of
from services.clients import Identity
from services.rag_replies import RagReply
from services.rag_settings import RagSettings, settings_of
from services.replies import CONVERSE_OPERATIONS
from services.runs import Run
from services.streaming import StreamHub

MOST_SIDES = 2


@dataclass(frozen=True)
class RagTurn:
    """One question, and the reply of each side that it went to; of Retrieve alone in a `lookup`."""

    question: str
    replies: tuple[RagReply, ...]
    lookup: bool = False


@dataclass
class Conversation:
    """What a browser session keeps: the sides (one, or two to compare) and what was asked so far."""

    sides: list[RagSettings] = field(default_factory=lambda: [RagSettings()])
    turns: list[RagTurn] = field(default_factory=list)


@dataclass(frozen=True)
class RagChat:
    """A conversation, with the hub that streams its replies and who is asking."""

    conversation: Conversation
    hub: StreamHub
    identity: Identity
    username: str

    @property
    def any_live(self) -> bool:
        """Whether any reply may still grow."""
        return any(reply.live for turn in self.conversation.turns for reply in turn.replies)

    def send(self, question: str) -> None:
        """A question to every side. What still streams is stopped first, and keeps what it has."""
        self.stop()
        sides = self.conversation.sides
        replies = tuple(self._ask(question, settings, self.session_id(n)) for n, settings in enumerate(sides))
        self.conversation.turns.append(RagTurn(question, replies))

    def retry(self, side: int, reply: RagReply) -> None:
        """The last question once more to one side, with its settings as they are now.

        Nothing when `reply` is not its last one any more, as after the first click of two.
        """
        turns = self.conversation.turns
        if not turns or reply not in turns[-1].replies[side : side + 1]:
            return
        last = turns.pop()
        failed = last.replies[side].run
        attempt = failed.call.attempt + 1 if failed and failed.state == "failed" else 1
        last.replies[side].stop()
        settings = last.replies[side].settings if last.lookup else self._settings(side)
        session_id = None if last.lookup else self.session_id(side)
        reply = self._ask(last.question, settings, session_id, attempt)
        replies = (*last.replies[:side], reply, *last.replies[side + 1 :])
        self.conversation.turns.append(replace(last, replies=replies))

    def look_up(self, question: str, settings: RagSettings) -> None:
        """What Retrieve finds for a question with the same settings, as a turn of its own."""
        self.stop()
        reply = self._ask(question, replace(settings, mode="retrieve"), None)
        self.conversation.turns.append(RagTurn(question, (reply,), lookup=True))

    def stop(self) -> None:
        """Stop every reply; what has arrived stays."""
        for turn in self.conversation.turns:
            for reply in turn.replies:
                if reply.live:
                    reply.stop()

    def new_session(self) -> None:
        """Forget the conversation, here and in the service's session; its runs stay in the history."""
        self.stop()
        self.conversation.turns.clear()

    def change(self, side: int, edit: Callable[[RagSettings], RagSettings]) -> None:
        """Other settings for the questions to come, made from the present ones of a side that is open."""
        sides = self.conversation.sides
        if side < len(sides):
            sides[side] = edit(sides[side])

    def compare(self, wanted: bool) -> None:
        """Ask in two ways, the second at first like the first; or in one."""
        sides = self.conversation.sides
        if wanted and len(sides) < MOST_SIDES:
            sides.append(sides[0])
        elif not wanted:
            del sides[1:]

    def session_id(self, side: int) -> str | None:
        """The session that the side's next question continues: that of its last answer, if it goes on.

        A session belongs to one knowledge base; only RetrieveAndGenerate has sessions.
        """
        settings = self._settings(side)
        if settings.mode != "generate":
            return None
        for turn in reversed(self.conversation.turns):
            reply = turn.replies[side] if side < len(turn.replies) else None
            if reply is None or reply.settings.mode != "generate":
                continue
            if reply.settings.knowledge_base_id != settings.knowledge_base_id:
                return None
            if (run := reply.run) and (found := session_of(run)):
                return found
        return None

    def _settings(self, side: int) -> RagSettings:
        """Those of a side, or of the only one that is left."""
        return self.conversation.sides[min(side, len(self.conversation.sides) - 1)]

    def _ask(
        self, question: str, settings: RagSettings, session_id: str | None, attempt: int = 1
    ) -> RagReply:
        reply = RagReply(question, settings)
        reply.ask(self.hub, self.identity, self.username, session_id=session_id, attempt=attempt)
        return reply


def reopened(runs: Sequence[Run], run_of: Callable[[str], Run | None]) -> Conversation | None:
    """The conversation in the runs of a link, at most one for each side; None where none is of this page.

    `run_of` finds the Retrieve run behind one of Converse.
    """
    found = [reply for run in runs[:MOST_SIDES] if (reply := _reply_of(run, run_of))]
    if not found:
        return None
    return Conversation([reply.settings for reply in found], [RagTurn(found[0].question, tuple(found))])


def _reply_of(run: Run, run_of: Callable[[str], Run | None]) -> RagReply | None:
    if run.call.operation == "Retrieve" or run.call.operation in RAG_OPERATIONS:
        return RagReply(replies.prompt_of(run.call), settings_of(run.call), answering=run)
    retrieval = run_of(run.call.parent_id) if run.call.parent_id else None
    if (
        run.call.operation not in CONVERSE_OPERATIONS
        or retrieval is None
        or retrieval.call.operation != "Retrieve"
    ):
        return None
    inference = dict(run.call.request.get("inferenceConfig") or {})
    stop_sequences = tuple(inference.pop("stopSequences", ()))
    settings = replace(
        settings_of(retrieval.call),
        mode="converse",
        model_id=run.call.model_id,
        parameters=inference,
        stop_sequences=stop_sequences,
    )
    return RagReply(replies.prompt_of(retrieval.call), settings, answering=run, retrieving=retrieval)
