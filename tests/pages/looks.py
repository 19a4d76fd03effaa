"""What the tests of pages and of their parts look at."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

_FIELDS = (
    "button_group",
    "checkbox",
    "multiselect",
    "number_input",
    "selectbox",
    "slider",
    "text_area",
    "text_input",
    "toggle",
)


def checked(app: AppTest) -> AppTest:
    """The app after a run without an exception."""
    app.run()
    assert not app.exception
    return app


def texts(app: AppTest) -> str:
    """What is said in words, in order of kind."""
    kinds = (app.markdown, app.caption, app.error, app.warning, app.info)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def set_anew(app: AppTest) -> list[str]:
    """The keys of the fields, of those that can be edited, whose value the last run set."""
    elements = [element for kind in _FIELDS for element in app.get(kind)]
    return [
        str(element.key) for element in elements if element.proto.set_value and not element.proto.disabled
    ]
