"""The audience: who watches what."""

TENANT = "rolling"

ANNOUNCEMENTS = "announcements"
"""The topic that everybody watches."""

END = "end"
"""The topic of the last event of all. Everybody watches it, too."""

ORDERS = 200
"""Topics of orders."""

USERS = 40
"""Owners of jobs."""


def name_order(number: int) -> str:
    """Return the topic of an order."""
    return f"orders.{number % ORDERS}"


def name_user(number: int) -> str:
    """Return the owner of a job."""
    return str(number % USERS)


def choose_patterns(number: int) -> list[str]:
    """Return what a client watches: six of ten a user's jobs, the others some orders, one of a hundred everything."""
    if number % 100 == 9:
        return [">"]
    if number % 10 < 6:
        return [ANNOUNCEMENTS, END, f"users.{name_user(number)}.jobs.>"]
    return [ANNOUNCEMENTS, END, name_order(number), name_order(7 * number)]
