"""Prompt attacks that are told by their wording: the phrases that real attacks repeat."""

from __future__ import annotations

import re


def _any(*phrases: str) -> str:
    """An expression for any of the phrases, which are separated by ``/``."""
    return f"(?:{'|'.join('/'.join(phrases).split('/'))})"


_BEFORE = _any("previous/prior/earlier/above/preceding/former/original/initial/system/all/your")
_FILL = _any(
    "all/any/every/the/your/my/these/those/previous/prior/earlier/above/preceding/former/original/initial",
    "system/old/of/other/and/existing/current",
)
_DROP = _any(
    "ignore/disregard/forget/override/overwrite/bypass/discard/drop/skip/neglect/pay no attention to",
    "do not (?:follow|obey)/don't (?:follow|obey)/stop following",
)
_ORDERS = _any(
    "instructions?/directions?/directives?/guidelines?/guidance/rules/orders/commands?/prompts?/programming",
    "training/policies/restrictions/constraints/context",
)
_HIDDEN = _any(
    "system/hidden/secret/initial/original/internal/developer/confidential/base/full/entire/complete/exact"
)
_TELL = _any(
    "reveal/show/print/repeat/output/display/disclose/tell me/give me/share/leak/recite/copy/write/translate",
    "summari[sz]e/what (?:is|are|was|were)/list/dump/expose/return",
)
_PROMPT = _any("prompts?/instructions?/messages?/directives?/rules/guidelines/configuration")
_WITHOUT = _any(
    "no/without(?: any)?/free (?:of|from)(?: all| any)?",
    "ignor\\w+/disabl\\w+/turn(?:ing)? off/bypass\\w*/remov\\w+",
)
_LIMITS = _any("restrictions/guidelines/filters?/guardrails/safeguards/censorship/morals/ethics/limitations")
_BE = _any("act/pretend/roleplay/role-play/imagine/behave/respond/answer/speak")

_PATTERNS = {
    "PROMPT_INJECTION": (
        rf"\b{_DROP}\s+(?:(?:about|completely)\s+)?(?:{_FILL}\s+)*{_BEFORE}\s+(?:{_FILL}\s+)*{_ORDERS}",
        rf"\b{_DROP}\s+{_any('all/everything/anything')}(?:\s+(?:that|which))?\s+"
        + _any("above/before/you/so far/i (?:said|told)/(?:was|has been) said"),
        r"<\|?(?:im_start|im_end|system|endoftext|start_header_id|eot_id)\|?>|\[/?INST\]|<</?SYS>>",
        (
            r"(?m)^[ \t]*(?:#{2,5}|-{3,5}|={3,5}|\[|<)?[ \t]*(?:new )?(?:system|developer|admin(?:istrator)?)"
            r"(?: (?:message|prompt|override|instructions?|note))?[\])>]?:[ \t]*\S"
        ),
        (
            r"\bend of (?:the )?(?:user )?(?:input|prompt|document|instructions)\b.{0,40}"
            r"\b(?:new|begin|now|system|instructions?)"
        ),
        r"\b(?:your )?new (?:instructions|orders|directives|task)(?: are| is)?\s*:",
        r"\bdecode (?:this|the following|it)\b.{0,60}\b(?:follow|execute|obey|carry out|do what)",
    ),
    "JAILBREAK": (
        r"\byou are (?:now )?(?:DAN|STAN|AIM|jailbroken)\b|\bdo anything now\b",
        (
            rf"\b{_any('enter/enable/activate/switch to/turn on/you are in')} (?:\w+ )?"
            rf"{_any('developer/god/debug/dan/jailbreak/unrestricted/sudo')} mode\b(?! on (?:my|the|an?) )"
        ),
        (
            rf"\b{_WITHOUT}\s+(?:(?:your|all|its|any|the|ethical|moral|safety|content|and|or) )*{_LIMITS}\b"
            r"(?=.{0,80}\b(?:you|answer|ai|model|assistant|respond)\b)"
        ),
        (
            rf"\b{_BE}\b.{{0,60}}\b(?:unrestricted|unfiltered|uncensored|amoral|evil"
            rf"|(?:no|without(?: any)?) (?:{_LIMITS}|rules|limits|refus\w+))"
        ),
    ),
    "PROMPT_LEAKAGE": (
        rf"\b{_TELL}\b[^.?!\n]{{0,40}}\b(?:your|the) (?:\w+ )?{_HIDDEN} (?:\w+ )?{_PROMPT}\b",
        (
            rf"\b{_TELL} (?:all |everything |every word |the (?:text|words|lines?|content) )+"
            r"(?:that (?:is|stands) )?(?:above|before|preceding|prior)"
        ),
        rf"\b{_TELL} (?:me )?your (?:\w+ )?(?:prompt|instructions)\b",
    ),
}
_COMPILED = {
    kind: tuple(re.compile(pattern, re.IGNORECASE) for pattern in patterns)
    for kind, patterns in _PATTERNS.items()
}


def matches(text: str, kind: str) -> bool:
    """Whether the text holds a phrase of an attack of this kind; False for a kind without phrases."""
    return any(pattern.search(text) for pattern in _COMPILED.get(kind, ()))
