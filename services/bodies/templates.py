"""Conversations as one text, with the tokens that a family's models were trained on; and back."""

from __future__ import annotations

import re
from collections.abc import Sequence

Turns = Sequence[tuple[str, str]]
"""(role, text) pairs, roles as Converse has them."""

# Where the last thing a person said stands in a text that these templates made.
_LAST_QUESTION = re.compile(
    r"(?:\[INST\] |<\|(?:start_header_id|header_start)\|>user<\|(?:end_header_id|header_end)\|>\n\n"
    r"|^User: )(?P<said>.*?)(?: \[/INST\]|<\|eot_id\|>|<\|eot\|>|\n(?:Bot|Chatbot):)",
    re.DOTALL | re.MULTILINE,
)


def llama2(system: str, turns: Turns) -> str:
    """Llama 2: `[INST]`, with the system prompt inside the first one."""
    return instructions(f"<<SYS>>\n{system}\n<</SYS>>" if system else "", turns)


def llama3(system: str, turns: Turns) -> str:
    """Llama 3: every turn under a header."""
    return _headed("<|start_header_id|>{}<|end_header_id|>\n\n", "<|eot_id|>", system, turns)


def llama4(system: str, turns: Turns) -> str:
    """Llama 4: as Llama 3, with shorter tokens."""
    return _headed("<|header_start|>{}<|header_end|>\n\n", "<|eot|>", system, turns)


def _headed(header: str, end: str, system: str, turns: Turns) -> str:
    said = [("system", system), *turns] if system else turns
    text = "".join(f"{header.format(role)}{words}{end}" for role, words in said)
    return f"<|begin_of_text|>{text}{header.format('assistant')}"


def instructions(system: str, turns: Turns) -> str:
    """Mistral: `<s>[INST] … [/INST] …</s>`; there is no system turn, so it begins the first instruction."""
    text = "<s>"
    for place, (role, words) in enumerate(turns):
        words = f"{system}\n\n{words}" if system and place == 0 else words
        text += f"[INST] {words} [/INST]" if role == "user" else f" {words}</s>"
    return text


def transcript(system: str, turns: Turns, bot: str) -> str:
    """A plain dialogue, as Titan and Cohere Command read it: `User: …`, `Bot: …`."""
    names = {"user": "User", "assistant": bot}
    lines = [f"{names[role]}: {words}" for role, words in turns]
    return "\n".join([*([f"{system}\n"] if system else []), *lines, f"{bot}:"])


def last_question(text: str) -> tuple[int, int]:
    """Where the last thing that a person said begins and ends; all of a text without a template."""
    found = list(_LAST_QUESTION.finditer(text))
    return found[-1].span("said") if found else (0, len(text))
