"""The engine: one log, one tail, many cursors.

It does no I/O and knows no clock: events, socket signals and the time come in as calls, and what is to be written
and read comes back. `engine.Engine` is its face; `tailrace_edge.pump` drives it in the edge, a simulator in the tests.
"""
