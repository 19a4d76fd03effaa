"""The bodies of InvokeModel: every model family has its own, and this package reads them all.

The family is told by the members of the body, not by the model id: an inference profile, a provisioned or an
imported model does not show its family in its ARN. Shapes: "Inference request parameters and response
fields for foundation models" in the Amazon Bedrock User Guide.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from services.families.chat import CHAT
from services.families.claude import MESSAGES
from services.families.cohere import COMMAND, COMMAND_R
from services.families.family import Event, Family, Json, converse, without
from services.families.nova import NOVA, TextJoiner
from services.families.plain import COMPLETION, JURASSIC, LLAMA, MISTRAL, TITAN

METRICS = "amazon-bedrock-invocationMetrics"
"""Bedrock adds its own counts to the last chunk of a stream. They are no part of a body."""

# A body is the model's own, nobody checks its shape: one that only looks like a family's is an unknown one.
MISSHAPEN = (AttributeError, IndexError, KeyError, TypeError, ValueError)

# In the order of asking: a Claude 2 chunk has `type` too, and a Command R body `generation_id`.
_FAMILIES = (NOVA, COMPLETION, CHAT, COMMAND_R, COMMAND, TITAN, LLAMA, MISTRAL, JURASSIC, MESSAGES)


def fold_chunks(chunks: Sequence[Json]) -> Json:
    """The body that InvokeModel would have answered. Chunks of an unknown family: `{"chunks": [...]}`."""
    plain = [without(chunk, METRICS) for chunk in chunks]
    family = next((family for chunk in plain if (family := _family_of_chunk(chunk))), None)
    if family:
        with suppress(*MISSHAPEN):
            return family.fold(plain)
    return {"chunks": plain}


def to_converse(body: Json) -> Json:
    """The body as Converse's response, as far as it has the same things; members may be missing or None.

    A body of an unknown family, and one without text (embeddings, images), has no content.
    """
    family = next((family for family in _FAMILIES if not family.body_members.isdisjoint(body)), None)
    return family.converse(body) if family else converse([], None)


class ChunkReader:
    """Says the chunks of one stream as ConverseStream's contentBlock events."""

    def __init__(self) -> None:
        self._text = TextJoiner()

    def events(self, chunk: Json) -> list[Event]:
        """The events in this chunk; none for a family that is not known."""
        family = _family_of_chunk(chunk)
        if family is None:
            return []
        events = family.events(chunk)
        joined = self._text.joined(events) if family is NOVA else events
        return [event for event in joined if event[0].startswith("contentBlock")]


def _family_of_chunk(chunk: Json) -> Family | None:
    return next((family for family in _FAMILIES if not family.chunk_members.isdisjoint(chunk)), None)
