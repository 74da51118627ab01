"""What ends a measurement."""


class BenchError(Exception):
    """A measurement could not be made; the report says why and goes on with the next."""


class Unavailable(BenchError):
    """A contender cannot be had on this machine."""
