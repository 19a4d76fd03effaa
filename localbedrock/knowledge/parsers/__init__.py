"""One module per format: bytes to pages of text, or an UnreadableError that says why not."""
