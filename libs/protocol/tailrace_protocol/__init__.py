"""Tailrace's words on the wire: tenants, topics, patterns, events, positions, the SSE codec, errors. No I/O."""
