"""Text generation: one small engine interface, and the two engines behind it."""

from __future__ import annotations

import os

# llama.cpp's threads wait for each other about a thousand times per token, spinning. While something
# else needs a core (the browser that draws the tokens), spinning long makes everybody wait: 60 tokens
# took 18 s on two busy cores, 2.5 s with short spinning; on idle ones it costs about 4 %.
# libgomp reads this once, when it is loaded: before `xllamacpp` is imported.
os.environ.setdefault("GOMP_SPINCOUNT", "500")
