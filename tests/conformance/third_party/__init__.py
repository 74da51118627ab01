"""Other people's clients from npm and PyPI, and what they are put through."""
