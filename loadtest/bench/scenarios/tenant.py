"""(d) A tenant with users, teams and projects: one stream of five patterns each, with wildcards of both kinds."""

from collections.abc import Iterator

from bench.bench import Bench
from bench.contenders import Place, Tailrace
from bench.contenders.contender import make_request
from bench.load import Load, Numbers, Topics
from bench.measuring import measure_load
from bench.rows import Row

PATTERNS = ("users.{i}.>", "orders.*.{i}", "teams.{a}.*", "projects.{b}.>", "announcements.0")

TEAM = 20
"""Users in a team."""

PROJECT = 4
"""Users in a project."""


def run(bench: Bench) -> Iterator[Row]:
    """Only Tailrace has wildcards over what is stored; there is nobody to compare with."""
    users, rate = bench.size(2000, 40), bench.size(500, 100)
    groups = {
        Topics("users", users, 0.55, "jobs.import"): 1,
        Topics("orders.eu", users, 0.1): 1,
        Topics("teams", users // TEAM, 0.2, "chat"): TEAM,
        Topics("projects", users // PROJECT, 0.14, "build.log"): PROJECT,
        Topics("announcements", 1, 0.01): users,
    }
    load = Load(events=int(rate * bench.seconds(20, 2)), rate=rate, topics=tuple(groups))
    warm = Load(events=rate, rate=rate, topics=tuple(groups))
    expected = count_deliveries(load, groups)
    case = f"{users:,} users at {rate:,}/s"

    def measure(tailrace: Tailrace, place: Place) -> Row:
        query = "&".join(f"topic={pattern}" for pattern in PATTERNS)
        columns = [(number // TEAM, number // PROJECT) for number in range(users)]
        with (
            tailrace.run(place),
            bench.watch(
                tailrace,
                place,
                users,
                request=make_request(f"/v1/default/events?{query}"),
                columns=columns,
                options=("--until-events", expected),
            ) as watchers,
            bench.publish_to(tailrace, place) as publisher,
        ):
            watchers.wait_connected()
            outcome = measure_load(tailrace, publisher, watchers, load, warm=warm, limit=60)
        figures, notes = outcome.tell_figures(), outcome.tell_notes(expected)
        return Row("tenant", case, tailrace.name, figures, notes, watchers={"loadgen": outcome.result})

    yield from bench.try_each("tenant", case, bench.choose(Tailrace), measure)


def count_deliveries(load: Load, watchers: dict[Topics, int]) -> int:
    """Return how many deliveries a load makes, given how many watch each topic of its groups."""
    by_prefix = {topics.prefix: number for topics, number in watchers.items()}
    return sum(
        next(number for prefix, number in by_prefix.items() if topic.startswith(prefix))
        for topic, _, _ in Numbers().choose(load)
    )
