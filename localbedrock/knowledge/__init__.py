"""Knowledge bases: documents in, chunks in a vector index, passages and cited answers out.

A handler here is a plain function ``(host, ctx, params)``: the host is what knowledge bases share beyond the
context of one request.
"""
