"""Families that only complete text: Amazon Titan, Meta Llama, Mistral, Claude 2, AI21 Jurassic."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from services.families.family import Event, Family, Json, columns, converse, merged


def fold_titan(chunks: Sequence[Json]) -> Json:
    """Titan's body: a chunk says flat what the body has in `results`."""
    body = merged(chunks, "outputText")
    result = {"tokenCount": body.pop("totalOutputTextTokenCount", None)}
    result |= {name: body.pop(name) for name in ("outputText", "completionReason") if name in body}
    body.pop("index", None)
    return {**body, "results": [result]}


def titan_to_converse(body: Json) -> Json:
    """Titan's body as Converse's response."""
    results = [result for result in body.get("results") or [] if "outputText" in result]
    first = results[0] if results else {}
    usage = {"inputTokens": body.get("inputTextTokenCount"), "outputTokens": first.get("tokenCount")}
    return converse([{"text": item["outputText"]} for item in results], first.get("completionReason"), usage)


def fold_llama(chunks: Sequence[Json]) -> Json:
    """Llama's body: its chunks have the same members."""
    return merged(chunks, "generation")


def llama_to_converse(body: Json) -> Json:
    """Llama's body as Converse's response."""
    usage = {
        "inputTokens": body.get("prompt_token_count"),
        "outputTokens": body.get("generation_token_count"),
    }
    return converse([{"text": body["generation"]}], body.get("stop_reason"), usage)


def fold_mistral(chunks: Sequence[Json]) -> Json:
    """Mistral's body: its chunks have the same members."""
    return {
        **merged(chunks, ""),
        "outputs": [merged(parts, "text") for parts in columns(chunks, "outputs")],
    }


def mistral_to_converse(body: Json) -> Json:
    """Mistral's body as Converse's response; it counts no tokens."""
    outputs = [item for item in body.get("outputs") or [] if "text" in item]
    stop_reason = outputs[0].get("stop_reason") if outputs else None
    return converse([{"text": item["text"]} for item in outputs], stop_reason)


def fold_completion(chunks: Sequence[Json]) -> Json:
    """Claude 2's body: its chunks have the same members."""
    return merged(chunks, "completion")


def completion_to_converse(body: Json) -> Json:
    """Claude 2's body as Converse's response; it counts no tokens."""
    return converse([{"text": body["completion"]}], body.get("stop_reason"))


def jurassic_to_converse(body: Json) -> Json:
    """Jurassic's body as Converse's response. Jurassic does not stream."""
    completions = body.get("completions") or []
    texts = [{"text": item["data"]["text"]} for item in completions if "text" in (item.get("data") or {})]
    reason = (completions[0].get("finishReason") or {}).get("reason") if completions else None
    return converse(texts, reason)


def _delta(text: str | None) -> Iterator[Event]:
    if text:
        yield "contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": text}}


TITAN = Family(
    chunk_members=frozenset({"outputText"}),
    body_members=frozenset({"results"}),
    fold=fold_titan,
    events=lambda chunk: _delta(chunk.get("outputText")),
    converse=titan_to_converse,
)
LLAMA = Family(
    chunk_members=frozenset({"generation"}),
    body_members=frozenset({"generation"}),
    fold=fold_llama,
    events=lambda chunk: _delta(chunk.get("generation")),
    converse=llama_to_converse,
)
MISTRAL = Family(
    chunk_members=frozenset({"outputs"}),
    body_members=frozenset({"outputs"}),
    fold=fold_mistral,
    events=lambda chunk: _delta("".join(item.get("text") or "" for item in chunk["outputs"])),
    converse=mistral_to_converse,
)
COMPLETION = Family(
    chunk_members=frozenset({"completion"}),
    body_members=frozenset({"completion"}),
    fold=fold_completion,
    events=lambda chunk: _delta(chunk.get("completion")),
    converse=completion_to_converse,
)
JURASSIC = Family(
    chunk_members=frozenset({"completions"}),
    body_members=frozenset({"completions"}),
    fold=lambda chunks: merged(chunks, ""),
    events=lambda _chunk: iter(()),
    converse=jurassic_to_converse,
)
