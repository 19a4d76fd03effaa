"""Documents in a chat, as the workbench makes them: counted as billed, refused where not text."""

from __future__ import annotations

import io
from typing import Any

import pytest
from botocore.exceptions import ClientError
from PIL import Image

from services.attachments import Attachment, blocks, read

HAIKU = "anthropic.claude-3-haiku-20240307-v1:0"


@pytest.fixture(scope="module")
def runtime(endpoint: Any) -> Any:
    return endpoint.client("bedrock-runtime", read_timeout=120)


def prompt(text: str, *files: tuple[str, bytes]) -> list[dict[str, Any]]:
    found = [read(name, data) for name, data in files]
    return blocks(text, [file for file in found if isinstance(file, Attachment)])[0]


def test_a_chat_with_text_documents_is_counted_as_it_is_billed(runtime: Any) -> None:
    content = prompt(
        "Which city?",
        ('Trip "notes" 😀.md', "# Trip\n\nWe went to Zürich.".encode()),
        ("trip notes.md", b"# Trip\n\nSecond day."),
        ("trip notes.csv", b"day,city\n1,Bern\n"),
    )
    messages = [
        {"role": "user", "content": content},
        {"role": "assistant", "content": [{"text": "Bern."}]},
        {"role": "user", "content": [{"text": "Sure?\0"}]},
    ]
    counted = runtime.count_tokens(modelId=HAIKU, input={"converse": {"messages": messages}})["inputTokens"]
    answer = runtime.converse(modelId=HAIKU, messages=messages, inferenceConfig={"maxTokens": 1})
    assert counted == answer["usage"]["inputTokens"]


@pytest.mark.parametrize("kind", ["image", "document"])
def test_what_the_local_model_cannot_read_is_refused_in_a_sentence(runtime: Any, kind: str) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (2, 2)).save(picture, "PNG")
    file = ("a.png", picture.getvalue()) if kind == "image" else ("a.pdf", b"%PDF-1.7")
    with pytest.raises(ClientError) as caught:
        runtime.converse(modelId=HAIKU, messages=[{"role": "user", "content": prompt("What is it?", file)}])
    message = caught.value.response["Error"]["Message"]
    assert f"doesn't support the {kind} content block" in message
