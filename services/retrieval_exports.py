"""What Retrieve found, to be taken along: as CSV to be looked at, as JSON as AWS sent it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence

from services.citations import Source
from services.csv_cells import MARK, inert

COLUMNS = ("rank", "score", "source", "type", "address", "page", "text", "metadata")


def csv_text(results: Sequence[Source]) -> str:
    """One row for each result, by rank; metadata as JSON.

    Documents are untrusted: a cell that a spreadsheet would take for a formula begins with an apostrophe.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for result in results:
        location = result.location
        words = [location.title, location.kind, location.address]
        metadata = json.dumps(dict(result.metadata), ensure_ascii=False, default=str)
        writer.writerow(
            [
                result.number,
                "" if result.score is None else result.score,
                *map(inert, words),
                "" if location.page is None else location.page,
                inert(result.text),
                metadata,
            ]
        )
    return MARK + out.getvalue()


def json_text(results: Sequence[Source]) -> str:
    """The results verbatim, as Retrieve's `retrievalResults`."""
    verbatim = [result.reference for result in results]
    return json.dumps({"retrievalResults": verbatim}, indent=2, ensure_ascii=False, default=str)
