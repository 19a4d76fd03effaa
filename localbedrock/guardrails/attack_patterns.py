"""Prompt attacks that are told by their wording: the phrases that real attacks repeat."""

from __future__ import annotations

import re

_OLD = r"(?:all|any|every|the|your|my|these|those|previous|prior|earlier|above|preceding|former|original|initial|system|old|of|other|and|existing|current)"
_DROP = r"(?:ignore|disregard|forget|override|overwrite|bypass|discard|drop|skip|neglect|pay no attention to|do not (?:follow|obey)|don't (?:follow|obey)|stop following)"
_ORDERS = r"(?:instructions?|directions?|directives?|guidelines?|guidance|rules|orders|commands?|prompts?|programming|training|policies|restrictions|constraints|context)"
_HIDDEN = r"(?:system|hidden|secret|initial|original|internal|developer|confidential|base|full|entire|complete|exact|pre-?)"

_PATTERNS = {
    "PROMPT_INJECTION": (
        rf"\b{_DROP}\s+(?:(?:about|completely)\s+)?(?:{_OLD}\s+)*(?:previous|prior|earlier|above|preceding|former|original|initial|system|all|your)\s+(?:{_OLD}\s+)*{_ORDERS}",
        rf"\b{_DROP}\s+(?:all|everything|anything)(?:\s+(?:that|which))?\s+(?:above|before|you|so far|i (?:said|told)|(?:was|has been) said)",
        r"<\|?(?:im_start|im_end|system|endoftext|start_header_id|eot_id)\|?>|\[/?INST\]|<</?SYS>>",
        r"(?m)^[ \t]*(?:#{2,5}|-{3,5}|={3,5}|\[|<)?[ \t]*(?:new )?(?:system|developer|admin(?:istrator)?)(?: (?:message|prompt|override|instructions?|note))?[\])>]?:[ \t]*\S",
        r"\bend of (?:the )?(?:user )?(?:input|prompt|document|instructions)\b.{0,40}\b(?:new|begin|now|system|instructions?)",
        r"\b(?:your )?new (?:instructions|orders|directives|task)(?: are| is)?\s*:",
        r"\bdecode (?:this|the following|it)\b.{0,60}\b(?:follow|execute|obey|carry out|do what)",
    ),
    "JAILBREAK": (
        r"\byou are (?:now )?(?:DAN|STAN|AIM|jailbroken)\b|\bdo anything now\b",
        r"\b(?:enter|enable|activate|switch to|turn on|you are in) (?:\w+ )?(?:developer|god|debug|dan|jailbreak|unrestricted|sudo) mode\b(?! on (?:my|the|an?) )",
        r"\b(?:no|without(?: any)?|free (?:of|from)(?: all| any)?|ignor\w+|disabl\w+|turn(?:ing)? off|bypass\w*|remov\w+)\s+(?:your |all |its |any |the )*(?:ethical|moral|safety|content)?\s*(?:and |or )?(?:safety |moral |ethical )?(?:restrictions|guidelines|filters?|guardrails|safeguards|censorship|morals|ethics|limitations)\b(?=.{0,80}\b(?:you|answer|ai|model|assistant|respond)\b)",
        r"\b(?:act|pretend|roleplay|role-play|imagine|behave|respond|answer|speak)\b.{0,60}\b(?:unrestricted|unfiltered|uncensored|amoral|evil|no (?:rules|restrictions|limits|filters|ethics|morals|guidelines)|without (?:any )?(?:rules|restrictions|limits|filters|ethics|morals|guidelines|refus\w+))",
    ),
    "PROMPT_LEAKAGE": (
        rf"\b(?:reveal|show|print|repeat|output|display|disclose|tell me|give me|share|leak|recite|copy|write|translate|summari[sz]e|what (?:is|are|was|were)|list|dump|expose|return)\b[^.?!\n]{{0,40}}\b(?:your|the) (?:\w+ )?{_HIDDEN} (?:\w+ )?(?:prompts?|instructions?|messages?|directives?|rules|guidelines|configuration)\b",
        r"\b(?:repeat|print|output|copy|return) (?:all |everything |every word |the (?:text|words|lines?|content) )+(?:that (?:is|stands) )?(?:above|before|preceding|prior)",
        r"\b(?:reveal|show|print|repeat|output|display|disclose|leak|recite|give me|tell me) (?:me )?your (?:\w+ )?(?:prompt|instructions)\b",
    ),
}
_COMPILED = {
    kind: tuple(re.compile(pattern, re.IGNORECASE) for pattern in patterns)
    for kind, patterns in _PATTERNS.items()
}


def matches(text: str, kind: str) -> bool:
    """Whether the text holds a phrase of an attack of this kind; False for a kind without phrases."""
    return any(pattern.search(text) for pattern in _COMPILED.get(kind, ()))
