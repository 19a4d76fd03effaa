"""Text embeddings from wordllama: 256 numbers per text, computed here in microseconds."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

MODEL_NAME = "WordLlama 256"
DIMENSIONS = 256


@dataclass(frozen=True)
class Embedding:
    """A vector of length 1 (all zeros for a text without tokens) and the text's size in tokens."""

    vector: tuple[float, ...]
    tokens: int


@dataclass(frozen=True)
class Words:
    """Words as the rows of ``vectors``, each of length 1; ``lengths`` is how long they were, which is how
    much a word adds to the vector of a text: little for "the", much for "refund".
    """

    vectors: npt.NDArray[np.float32]
    lengths: npt.NDArray[np.float32]


class Embedder:
    """Embeds texts. Safe to use from many threads."""

    def __init__(self) -> None:
        """Load the weights that ship inside the package; nothing is ever downloaded."""
        from wordllama import WordLlama

        package = Path(sys.modules["wordllama"].__file__ or "").parent
        self._model: Any = WordLlama.load(cache_dir=package, disable_download=True)
        self._model.tokenizer.no_padding()  # texts are pooled one by one

    def embed(self, texts: list[str]) -> list[Embedding]:
        """One embedding per text, in order: the mean of its tokens' vectors, scaled to length 1."""
        encodings = self._model.tokenizer.encode_batch(texts, add_special_tokens=False)
        return [self._pool(encoding.ids) for encoding in encodings]

    def _pool(self, ids: list[int]) -> Embedding:
        if not ids:
            return Embedding((0.0,) * DIMENSIONS, 0)
        mean = self._model.embedding[ids].mean(axis=0)
        length = float(np.linalg.norm(mean))
        return Embedding(tuple((mean / length if length else mean).tolist()), len(ids))

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """Where each token of a text begins and ends, in characters."""
        offsets: list[tuple[int, int]] = self._model.tokenizer.encode(text, add_special_tokens=False).offsets
        return offsets

    def words(self, words: Sequence[str]) -> Words:
        """Each word by itself, in order."""
        encodings = self._model.tokenizer.encode_batch(list(words), add_special_tokens=False)
        sizes = np.array([len(encoding.ids) for encoding in encodings])
        ids = [token for encoding in encodings for token in encoding.ids]
        starts = np.concatenate(([0], sizes.cumsum()[:-1]))
        means = np.add.reduceat(self._model.embedding[ids], starts, axis=0) / sizes[:, None]
        lengths = np.linalg.norm(means, axis=1)
        return Words(means / np.maximum(lengths, 1e-9)[:, None], lengths)

    def truncate(self, text: str, tokens: int, *, keep: str = "START") -> str:
        """The first (or, for ``keep="END"``, the last) so many tokens of a text."""
        encoding = self._model.tokenizer.encode(text, add_special_tokens=False)
        if len(encoding.ids) <= tokens:
            return text
        offsets = encoding.offsets
        return text[: offsets[tokens - 1][1]] if keep == "START" else text[offsets[-tokens][0] :].lstrip()
