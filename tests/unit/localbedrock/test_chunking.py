"""Chunks: nothing is lost, nothing is cut inside a word, sizes and overlaps are what was asked for."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest

from localbedrock.embeddings import Embedder
from localbedrock.knowledge.chunking import Chunk, chunk
from localbedrock.knowledge.parsing import Page

PROSE = """# Returns

You may return a lamp within 30 days. Keep the box, e.g. for the courier! Is the lamp broken? Write to us.

## Shipping

- Parcels leave on weekdays.
- Large items go by freight. They take a week.

Der Händler liefert in die Schweiz. 日本語の文章です。次の文です。"""


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder()


def _fixed(tokens: int, overlap: int = 1) -> dict[str, Any]:
    return {
        "chunkingStrategy": "FIXED_SIZE",
        "fixedSizeChunkingConfiguration": {"maxTokens": tokens, "overlapPercentage": overlap},
    }


def _hierarchical(parent: int, child: int, overlap: int) -> dict[str, Any]:
    levels = [{"maxTokens": parent}, {"maxTokens": child}]
    settings = {"levelConfigurations": levels, "overlapTokens": overlap}
    return {"chunkingStrategy": "HIERARCHICAL", "hierarchicalChunkingConfiguration": settings}


def _semantic(tokens: int, buffer: int = 1, percentile: int = 90) -> dict[str, Any]:
    settings = {"maxTokens": tokens, "bufferSize": buffer, "breakpointPercentileThreshold": percentile}
    return {"chunkingStrategy": "SEMANTIC", "semanticChunkingConfiguration": settings}


def _pages(*texts: str) -> tuple[Page, ...]:
    return tuple(Page(number, text) for number, text in enumerate(texts, 1))


def _texts(chunks: list[Chunk]) -> list[str]:
    return [each.text for each in chunks]


def _places(text: str, chunks: list[str]) -> list[tuple[int, int]]:
    """Where each chunk stands in the text, each later than the one before."""
    places: list[tuple[int, int]] = []
    after = 0
    for words in chunks:
        start = text.find(words, after)
        assert start >= 0, words
        places.append((start, start + len(words)))
        after = start + 1
    return places


def _random_text(seed: int) -> str:
    dice = random.Random(seed)
    words = ["a", "lamp", "Returns", "antidisestablishmentarianism", "x" * 60, "Zürich", "3.14", "😀"]
    gaps = [" ", " ", " ", " ", ". ", "! ", "\n", "\n\n", ".\n", "   "]
    count = dice.randint(1, 400)
    return "".join(f"{dice.choice(words)}_{n}_{dice.choice(gaps)}" for n in range(count))  # no word twice


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(
    "configuration",
    [{}, _fixed(20), _fixed(60, 30), _fixed(10, 99), _fixed(1), _semantic(40), _semantic(300, 0, 50)],
    ids=["default", "20", "60/30", "10/99", "1", "semantic", "semantic 0"],
)
def test_no_text_is_lost_or_cut_inside_a_word(
    seed: int, configuration: dict[str, Any], embedder: Embedder
) -> None:
    text = _random_text(seed)
    chunks = _texts(chunk([Page(None, text)], configuration, embedder))
    places = _places(text, chunks)
    covered = 0
    for (start, end), words in zip(places, chunks, strict=True):
        assert words == words.strip()
        assert not text[covered:start].strip(), "lost"
        assert end > covered, "a chunk that says nothing new"
        assert start == 0 or text[start - 1].isspace(), words
        covered = end
    assert not text[covered:].strip()


@pytest.mark.parametrize(("tokens", "percent"), [(20, 1), (40, 25), (100, 50)])
def test_sizes_and_overlaps_keep_to_what_was_asked(tokens: int, percent: int, embedder: Embedder) -> None:
    text = " ".join(f"Sentence number {n} says what the one before did not say." for n in range(80))
    chunks = _texts(chunk([Page(None, text)], _fixed(tokens, percent), embedder))
    places = _places(text, chunks)
    assert max(len(embedder.offsets(each)) for each in chunks) <= tokens
    overlaps = [text[start:end] for (start, _), (_, end) in zip(places[1:], places, strict=False)]
    assert max(len(embedder.offsets(words)) for words in overlaps) <= tokens * percent // 100
    assert any(overlaps) is (percent > 1)


def test_the_default_is_300_tokens_of_whole_sentences(embedder: Embedder) -> None:
    text = " ".join(f"This is sentence {n}, which is about shipping lamps." for n in range(200))
    chunks = _texts(chunk([Page(None, text)], {}, embedder))
    assert all(each.startswith("This is sentence") and each.endswith("lamps.") for each in chunks)
    assert all(250 < len(embedder.offsets(each)) <= 300 for each in chunks[:-1])
    assert " ".join(chunks) == text


def test_chunks_end_at_sentences_headings_and_items(embedder: Embedder) -> None:
    chunks = _texts(chunk([Page(None, PROSE)], _fixed(24), embedder))
    assert chunks[0] == "# Returns\n\nYou may return a lamp within 30 days."
    assert not any(each.endswith("e.g.") for each in chunks)
    assert any(each.startswith("## Shipping") for each in chunks)
    assert any(each.endswith("です。") for each in chunks)


def test_a_word_larger_than_a_chunk_stays_whole_and_no_word_at_all_is_cut(embedder: Embedder) -> None:
    assert _texts(chunk([Page(None, "antidisestablishmentarianism now")], _fixed(2), embedder)) == [
        "antidisestablishmentarianism",
        "now",
    ]
    pieces = _texts(chunk([Page(None, "k3J" * 1000)], _fixed(100), embedder))
    assert "".join(pieces) == "k3J" * 1000
    assert (
        "".join(_texts(chunk([Page(None, "日本語の文章です。" * 50)], _fixed(9), embedder)))
        == "日本語の文章です。" * 50
    )
    assert len(pieces) > 5


def test_chunks_know_the_page_where_they_begin(embedder: Embedder) -> None:
    pages = _pages("", "One. Two. Three.", "Four. Five and", "six. Seven.")
    assert [(each.text, each.page) for each in chunk(pages, _fixed(10), embedder)] == [
        ("One. Two. Three.\nFour.", 2),
        ("Five and\nsix. Seven.", 3),
    ]
    assert chunk(pages, _fixed(5), embedder)[-1] == Chunk("Seven.", "", 4)
    assert chunk(pages, {"chunkingStrategy": "NONE"}, embedder) == [
        Chunk("One. Two. Three.\nFour. Five and\nsix. Seven.", "", None)
    ]


@pytest.mark.parametrize("configuration", [{}, {"chunkingStrategy": "NONE"}, _fixed(9), _semantic(9)])
def test_blank_documents_have_no_chunks(configuration: dict[str, Any], embedder: Embedder) -> None:
    assert chunk(_pages(" \n", ""), configuration, embedder) == []
    assert chunk([], configuration, embedder) == []


def test_hierarchical_chunks_lie_in_their_parents(embedder: Embedder) -> None:
    text = " ".join(f"Sentence number {n} is here." for n in range(100))
    chunks = chunk([Page(None, text)], _hierarchical(100, 30, 8), embedder)
    parents = list(dict.fromkeys(each.parent for each in chunks))
    assert all(each.text in each.parent for each in chunks)
    assert max(len(embedder.offsets(each)) for each in parents) <= 100
    assert max(len(embedder.offsets(each.text)) for each in chunks) <= 30
    _places(text, parents)
    assert len(chunks) > 2 * len(parents) > 4


def test_semantic_chunks_part_where_the_subject_changes(embedder: Embedder) -> None:
    dogs = "The dog barks. A puppy plays with a dog. Dogs and cats are pets."
    taxes = "Income tax is due in April. The tax office sends a tax bill. Taxes pay for schools."
    chunks = _texts(chunk([Page(None, f"{dogs} {taxes}")], _semantic(300, 0, 80), embedder))
    assert chunks == [dogs, taxes]


def test_ten_thousand_small_documents_take_seconds(embedder: Embedder) -> None:
    text = PROSE * 3
    began = time.process_time()
    for _ in range(1000):
        chunk([Page(None, text)], {}, embedder)
    assert time.process_time() - began < 3
