"""How documents are cut into chunks: the strategies of a data source, their parameters and bounds.

Source: ChunkingConfiguration of bedrock-agent; the values to begin with are those that AWS recommends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Strategy = Literal["DEFAULT", "FIXED_SIZE", "NONE", "HIERARCHICAL", "SEMANTIC"]

STRATEGIES: dict[Strategy, tuple[str, str]] = {
    "DEFAULT": ("Default", "About 300 tokens to a chunk, cut between sentences."),
    "FIXED_SIZE": ("Fixed size", "Chunks of one size that overlap."),
    "NONE": ("None", "Each document is one chunk: for documents that are short, or cut already."),
    "HIERARCHICAL": ("Hierarchical", "Small chunks are searched, and the large one around them is given."),
    "SEMANTIC": ("Semantic", "Cut where the meaning changes; asks the embedding model more often."),
}
BOUNDS: dict[str, tuple[int, int]] = {
    "max_tokens": (1, 8192),
    "overlap_percentage": (1, 99),
    "parent_tokens": (1, 8192),
    "child_tokens": (1, 8192),
    "overlap_tokens": (1, 8192),
    "buffer_size": (0, 1),
    "breakpoint_percentile": (50, 99),
}
FIELDS: dict[Strategy, tuple[str, ...]] = {
    "DEFAULT": (),
    "FIXED_SIZE": ("max_tokens", "overlap_percentage"),
    "NONE": (),
    "HIERARCHICAL": ("parent_tokens", "child_tokens", "overlap_tokens"),
    "SEMANTIC": ("max_tokens", "buffer_size", "breakpoint_percentile"),
}
"""The parameters that each strategy has."""


@dataclass(frozen=True)
class Chunking:
    """A strategy with its parameters; those of other strategies are not sent. Sizes are in tokens."""

    strategy: Strategy = "DEFAULT"
    max_tokens: int = 300
    overlap_percentage: int = 20
    parent_tokens: int = 1500
    child_tokens: int = 300
    overlap_tokens: int = 60
    buffer_size: int = 1
    breakpoint_percentile: int = 95

    @property
    def fault(self) -> str:
        """Why AWS would refuse it, as a sentence; "" where nothing is wrong."""
        for name in FIELDS[self.strategy]:
            low, high = BOUNDS[name]
            if not low <= getattr(self, name) <= high:
                return f"{name.replace('_', ' ').capitalize()} must be between {low} and {high}."
        if self.strategy == "HIERARCHICAL" and self.parent_tokens <= self.child_tokens:
            return "A parent chunk must be larger than its child chunks."
        if self.strategy == "HIERARCHICAL" and self.overlap_tokens >= self.child_tokens:
            return "The overlap must be smaller than a child chunk."
        return ""

    @property
    def configuration(self) -> dict[str, Any]:
        """AWS's ChunkingConfiguration; {} where the service's default is to be taken."""
        if self.strategy == "DEFAULT":
            return {}
        found: dict[str, Any] = {"chunkingStrategy": self.strategy}
        if self.strategy == "FIXED_SIZE":
            found["fixedSizeChunkingConfiguration"] = {
                "maxTokens": self.max_tokens,
                "overlapPercentage": self.overlap_percentage,
            }
        elif self.strategy == "HIERARCHICAL":
            found["hierarchicalChunkingConfiguration"] = {
                "levelConfigurations": [{"maxTokens": self.parent_tokens}, {"maxTokens": self.child_tokens}],
                "overlapTokens": self.overlap_tokens,
            }
        elif self.strategy == "SEMANTIC":
            found["semanticChunkingConfiguration"] = {
                "maxTokens": self.max_tokens,
                "bufferSize": self.buffer_size,
                "breakpointPercentileThreshold": self.breakpoint_percentile,
            }
        return found
