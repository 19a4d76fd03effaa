"""A call as code that makes it again: boto3, AWS CLI, LangChain, LlamaIndex."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from services.code_export.aws_cli import aws_cli_code
from services.code_export.boto3 import boto3_code
from services.code_export.langchain import langchain_code
from services.code_export.llamaindex import llamaindex_code
from services.code_export.shared import binary_files, readable_body
from services.runs import Call, Run

__all__ = [
    "DIALECTS",
    "Dialect",
    "aws_cli_code",
    "binary_files",
    "boto3_code",
    "langchain_code",
    "llamaindex_code",
    "readable_body",
]


@dataclass(frozen=True)
class Dialect:
    """One way to write a call down.

    `code` raises ValueError, a sentence, where the call cannot be said in it; `install` is the shell line
    that gets what the code needs.
    """

    name: str
    code: Callable[[Call | Run], str]
    language: Literal["python", "bash"]
    install: str

    def write(self, what: Call | Run) -> str:
        """The code. ValueError also for a request that is not formed as AWS's (an imported run may be so)."""
        try:
            return self.code(what)
        except (KeyError, TypeError, AttributeError, IndexError) as error:
            raise ValueError("The request is not formed as AWS's requests are: see its JSON.") from error


DIALECTS = (
    Dialect("boto3", boto3_code, "python", "pip install boto3"),
    Dialect("AWS CLI", aws_cli_code, "bash", "pip install awscli"),
    Dialect("LangChain", langchain_code, "python", "pip install langchain-aws"),
    Dialect("LlamaIndex", llamaindex_code, "python", "pip install llama-index-llms-bedrock-converse"),
)
