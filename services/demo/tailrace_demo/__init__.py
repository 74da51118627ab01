"""The demo: real work on real files streams through two edges, one of which is killed half-way."""
