from hypothesis import given
from hypothesis import strategies as st
from tailrace_edge.auth.rights import Rights, covers
from tailrace_protocol.patterns import match_pattern

TOKENS = st.sampled_from(["a", "b", "c"])
TOPICS = st.lists(TOKENS, min_size=1, max_size=4).map(".".join)
HEADS = st.lists(st.sampled_from(["a", "b", "*"]), max_size=3)
PATTERNS = st.one_of(
    st.lists(st.sampled_from(["a", "b", "*"]), min_size=1, max_size=4).map(".".join),
    HEADS.map(lambda head: ".".join([*head, ">"])),
)
GRANTED = st.lists(PATTERNS, max_size=4)


@given(GRANTED, PATTERNS, TOPICS)
def test_a_pattern_that_is_covered_matches_no_topic_outside(granted: list[str], asked: str, topic: str) -> None:
    if covers(granted, asked) and match_pattern(asked, topic):
        assert any(match_pattern(pattern, topic) for pattern in granted)


@given(st.lists(PATTERNS, min_size=1, max_size=4), st.data())
def test_a_pattern_made_narrower_is_covered(granted: list[str], data: st.DataObject) -> None:
    asked = narrow(data.draw(st.sampled_from(granted)), data)

    assert covers(granted, asked)


@given(GRANTED, PATTERNS)
def test_what_is_not_covered_has_a_topic_outside_each_pattern(granted: list[str], asked: str) -> None:
    if not covers(granted, asked):
        for pattern in granted:
            # Tokens that stand in no pattern, as few and as many as the wildcards allow.
            witnesses = [asked.replace("*", "z").replace(">", rest) for rest in ("z", "z.z", "z.z.z.z.z")]
            assert not all(match_pattern(pattern, topic) for topic in witnesses)


@given(GRANTED, TOPICS)
def test_a_topic_is_covered_if_a_pattern_matches_it(granted: list[str], topic: str) -> None:
    assert covers(granted, topic) is any(match_pattern(pattern, topic) for pattern in granted)


def test_nothing_is_granted_by_default() -> None:
    assert Rights() == ((), (), (), ())
    assert not covers((), "a")


def narrow(pattern: str, data: st.DataObject) -> str:
    """Return the pattern with some of its wildcards replaced by what they stand for."""
    tokens = []
    for token in pattern.split("."):
        if token == "*":
            tokens.append(data.draw(st.sampled_from(["*", "a"])))
        elif token == ">":
            tokens.append(data.draw(st.sampled_from([">", "a", "*", "a.b", "*.>", "a.>"])))
        else:
            tokens.append(token)
    return ".".join(tokens)
