"""Stands in for a language model: tokens that come one after the other."""

import asyncio
from collections.abc import AsyncIterator

ANSWER = "Each event is stored before it is shown, and so whoever reloads the page reads on where the text had got to. "


async def generate(question: str) -> AsyncIterator[str]:
    """Yield the tokens of an answer."""
    for token in f"You asked: {question} {ANSWER}".split(" "):
        await asyncio.sleep(0.1)
        yield f"{token} "
