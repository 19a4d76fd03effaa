"""Raw prompts, written with a model's template tokens, as messages.

A prompt without any template is one message of the user.
"""

from __future__ import annotations

import re

from localbedrock.text.engine import ChatRequest, Message, Role, Text

_LLAMA_TURN = re.compile(
    r"<\|start_header_id\|>\s*(\w+)\s*<\|end_header_id\|>(.*?)(?=<\|eot_id\|>|<\|start_header_id\|>|\Z)",
    re.DOTALL,
)
_INSTRUCTION = re.compile(r"\[INST\](.*?)\[/INST\](.*?)(?=\[INST\]|\Z)", re.DOTALL)
_SYSTEM = re.compile(r"<<SYS>>(.*?)<</SYS>>", re.DOTALL)
_TITAN_TURN = re.compile(r"^(User|Bot):(.*?)(?=^User:|^Bot:|\Z)", re.DOTALL | re.MULTILINE)


def llama(prompt: str) -> ChatRequest:
    """Llama 3's header tokens, or Llama 2's ``[INST]``."""
    if "<|start_header_id|>" not in prompt:
        return instructions(prompt)
    turns = _LLAMA_TURN.findall(prompt)
    system = "\n\n".join(text.strip() for role, text in turns if role == "system")
    rest = [
        ("assistant" if role == "assistant" else "user", text) for role, text in turns if role != "system"
    ]
    return _request([(role, text) for role, text in rest if text.strip()], system)


def instructions(prompt: str) -> ChatRequest:
    """Mistral's and Llama 2's ``<s>[INST] ... [/INST] answer</s>``."""
    prompt = prompt.replace("<s>", "").replace("</s>", "").replace("<|begin_of_text|>", "")
    system = "\n\n".join(text.strip() for text in _SYSTEM.findall(prompt))
    prompt = _SYSTEM.sub("", prompt)
    turns = [
        (role, text)
        for question, answer in _INSTRUCTION.findall(prompt)
        for role, text in (("user", question), ("assistant", answer))
        if text.strip()
    ]
    return _request(turns or [("user", prompt)], system)


def titan(prompt: str) -> ChatRequest:
    """Titan's ``User: ...`` and ``Bot: ...``."""
    turns = [("user" if who == "User" else "assistant", text) for who, text in _TITAN_TURN.findall(prompt)]
    if not turns or not prompt.lstrip().startswith("User:"):
        return plain(prompt)
    return _request([(role, text) for role, text in turns if text.strip()], "")


def plain(prompt: str) -> ChatRequest:
    """No template at all."""
    return _request([("user", prompt)], "")


def _request(turns: list[tuple[str, str]], system: str) -> ChatRequest:
    roles: dict[str, Role] = {"user": "user", "assistant": "assistant"}
    messages = tuple(Message(roles[role], (Text(text.strip()),)) for role, text in turns)
    return ChatRequest(messages or (Message("user", (Text(" "),)),), system=system)
