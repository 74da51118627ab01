"""The wire as other people's clients read it."""
