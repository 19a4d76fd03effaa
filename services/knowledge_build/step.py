"""What a step of the build is: its words, instructions, undoing, and the permissions that it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from services.knowledge_build import code
from services.knowledge_build.execution import Execution
from services.knowledge_build.instructions import Instruction
from services.knowledge_build.plan import Plan

State = Literal["to do", "done", "different"]
Values = Mapping[str, Any]
Allow = tuple[Sequence[str], Sequence[str]]
"""IAM actions, and the ARNs on which they are needed."""


@dataclass(frozen=True)
class Found:
    """What AWS has of a step.

    `ours`: the workbench made it for this plan, so it may be deleted. `values` are what later steps need of
    it. `note` says what is different, or what there is.
    """

    state: State
    ours: bool = False
    values: Values = field(default_factory=dict)
    note: str = ""


TO_DO = Found("to do")


@dataclass(frozen=True)
class Step:
    """One step. `look` asks AWS and changes nothing; `undo` deletes what `look` found to be ours.

    Of the two lists of permissions the first is for building, the second for taking apart.
    """

    key: str
    title: str
    why: str
    makes: Callable[[Plan], str]
    build: Callable[[Plan], tuple[Instruction, ...]]
    look: Callable[[Execution, Plan], Found]
    undo: Callable[[Plan, Values], tuple[Instruction, ...]]
    allow: Callable[[Plan], Sequence[Allow]]
    allow_undo: Callable[[Plan], Sequence[Allow]]

    def code(self, plan: Plan) -> str:
        """The boto3 code of this step: what `run` does."""
        instructions = self.build(plan)
        given = code.unknown(instructions)
        heading = f"{', '.join(given)}: from the steps before" if given else self.title
        return code.program([(heading, instructions)], plan.region)

    def policy(self, plan: Plan) -> dict[str, Any]:
        """The least IAM policy for who builds this step, and for who takes it apart."""
        return {
            "Version": "2012-10-17",
            "Statement": [
                {"Sid": f"{sid}{number}", "Effect": "Allow", "Action": [*actions], "Resource": [*resources]}
                for sid, allowed in (("Build", self.allow(plan)), ("TakeApart", self.allow_undo(plan)))
                for number, (actions, resources) in enumerate(allowed, 1)
            ],
        }


def owner_note(what: str) -> str:
    """The note of something that has our name but not our mark."""
    return (
        f"{what} exists, and the workbench did not make it for this knowledge base. It is left alone: choose "
        "another name."
    )
