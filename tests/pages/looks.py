"""What the tests of pages and of their parts look at."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest


def checked(app: AppTest) -> AppTest:
    """The app after a run without an exception."""
    app.run()
    assert not app.exception
    return app


def texts(app: AppTest) -> str:
    """What is said in words, in order of kind."""
    kinds = (app.markdown, app.caption, app.error, app.warning, app.info)
    return "\n".join(str(element.value) for kind in kinds for element in kind)
