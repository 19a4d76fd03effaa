"""The arrows of the house that import-linter cannot see (it sees imports, not attribute use)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ALLOWED = {"cache_data", "cache_resource"}
SERVICES = sorted((ROOT / "services").rglob("*.py"))


def streamlit_uses(source: str) -> set[str]:
    """What a module takes from streamlit: attributes of its alias, names imported from it, its submodules."""
    tree = ast.parse(source)
    aliases, used = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                if name.name == "streamlit":
                    aliases.add(name.asname or "streamlit")
                elif name.name.startswith("streamlit."):
                    used.add(name.name)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "streamlit":
            used |= {
                name.name if node.module == "streamlit" else f"{node.module}.{name.name}"
                for name in node.names
            }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in aliases:
            used.add(node.attr)
    return used


@pytest.mark.parametrize(
    ("source", "uses"),
    [
        ("import streamlit as st\nst.cache_data(f)\nst.write('x')", {"cache_data", "write"}),
        ("import streamlit\nstreamlit.session_state['a']", {"session_state"}),
        ("from streamlit import toast", {"toast"}),
        ("from streamlit.runtime import exists", {"streamlit.runtime.exists"}),
        ("def f():\n    import streamlit.components as c", {"streamlit.components"}),
    ],
)
def test_every_way_of_using_streamlit_is_seen(source: str, uses: set[str]) -> None:
    assert streamlit_uses(source) == uses


@pytest.mark.parametrize("path", SERVICES, ids=[str(path.relative_to(ROOT)) for path in SERVICES])
def test_services_never_draw(path: Path) -> None:
    assert streamlit_uses(path.read_text("utf-8")) <= ALLOWED
