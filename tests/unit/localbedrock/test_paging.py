"""Lists in pages: complete, without repetition, and indifferent to what happens between two calls."""

from __future__ import annotations

from typing import Any

import pytest

from localbedrock.errors import AwsError
from localbedrock.wire.paging import page


def read_all(items: list[str], size: int) -> list[list[str]]:
    pages: list[list[str]] = []
    params: dict[str, Any] = {"maxResults": size}
    while True:
        given, more = page(items, params, str)
        pages.append(given)
        if not more:
            return pages
        params = {"maxResults": size} | more


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 100])
def test_pages_together_are_the_list(size: int) -> None:
    items = ["a", "b", "c", "d"]
    pages = read_all(items, size)
    assert [item for given in pages for item in given] == items
    assert all(len(given) == size for given in pages[:-1])


def test_an_empty_list_is_one_empty_page() -> None:
    assert read_all([], 3) == [[]]


def test_what_was_given_before_may_be_deleted_without_hiding_what_follows() -> None:
    _, more = page(["a", "b", "c", "d"], {"maxResults": 2}, str)
    assert page(["b", "c", "d"], more, str)[0] == ["c", "d"]


def test_the_last_item_given_may_be_deleted_without_hiding_what_follows() -> None:
    _, more = page(["a", "b", "c", "d"], {"maxResults": 2}, str)
    assert page(["a", "c", "d"], more, str)[0] == ["c", "d"]


def test_what_is_inserted_before_does_not_repeat_anything() -> None:
    _, more = page(["b", "c", "d"], {"maxResults": 2}, str)
    assert page(["a", "b", "c", "d"], more, str)[0] == ["d"]


@pytest.mark.parametrize("token", ["nonsense", "!!!", "YWJj", "", " "])
def test_a_foreign_token_is_a_validation_error(token: str) -> None:
    if not token:
        assert page(["a"], {"nextToken": token}, str)[0] == ["a"]
        return
    with pytest.raises(AwsError) as caught:
        page(["a"], {"nextToken": token}, str)
    assert caught.value.code == "ValidationException"
