"""PDF files for tests, written by hand: as small as the format allows."""

from __future__ import annotations

from collections.abc import Sequence


def pdf(*pages: Sequence[str], trailer: str = "") -> bytes:
    """A PDF with these lines of text on its pages; lines may use the characters of Latin-1."""
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    bodies = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for number, lines in enumerate(pages):
        shown = b" T* ".join(b"(" + _escaped(line) + b") Tj" for line in lines)
        stream = b"BT /F1 12 Tf 72 720 Td 16 TL " + shown + b" ET"
        bodies.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] "
            b"/Resources << /Font << /F1 3 0 R >> >> /Contents %d 0 R >>" % (5 + 2 * number)
        )
        bodies.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(bodies, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return out + (
        b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF\n"
        % (len(bodies) + 1, table, len(bodies) + 1, trailer.encode(), len(out))
    )


def encrypted_pdf() -> bytes:
    """A PDF that asks for a password."""
    mark = "41" * 32
    encryption = f"/Encrypt << /Filter /Standard /V 1 /R 2 /O <{mark}> /U <{mark}> /P -44 >> "
    return pdf(["secret"], trailer=f"{encryption} /ID [<{'41' * 16}> <{'41' * 16}>]")


def _escaped(line: str) -> bytes:
    return line.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)").encode("cp1252")
