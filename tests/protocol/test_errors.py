import inspect
import pickle
import re

import pytest
from tailrace_protocol import errors
from tailrace_protocol.errors import EdgeRefused, EventTooLarge, NotFound, TailraceError

CLASSES = [member for _, member in inspect.getmembers(errors, inspect.isclass) if issubclass(member, TailraceError)]


def draw_tree(error: type[TailraceError]) -> list[str]:
    """The names of `error` and what derives from it, drawn as `errors` draws them."""
    children = [child for child in error.__subclasses__() if child in CLASSES]
    lines = [error.__name__]
    for child in children:
        last = child is children[-1]
        first, *others = draw_tree(child)
        lines += [f"{'└' if last else '├'}── {first}", *(f"{' ' if last else '│'}   {line}" for line in others)]
    return lines


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = [re.split(r"(?<=\w)(?: \(|:)", line)[0] for line in (errors.__doc__ or "").splitlines()[2:]]

    assert drawn == draw_tree(TailraceError)


def test_what_was_passed_in_wrong_is_a_value_error_too() -> None:
    assert {error.__name__ for error in CLASSES if issubclass(error, ValueError)} == {
        error.__name__ for error in CLASSES if issubclass(error, errors.InvalidInput)
    }


@pytest.mark.parametrize(
    "error", [EventTooLarge(70_000, 65_536), NotFound(404, "Not Found", "no job 7"), EdgeRefused(400, "Bad", "why")]
)
def test_errors_with_fields_cross_processes(error: TailraceError) -> None:
    copy = pickle.loads(pickle.dumps(error))

    assert type(copy) is type(error)
    assert vars(copy) == vars(error)
    assert str(copy) == str(error)


def test_messages_say_what_was_wrong_and_what_to_do() -> None:
    assert str(EventTooLarge(70_000, 65_536)) == (
        "the event has 70000 bytes, 65536 are allowed; store the content elsewhere and publish a link to it"
    )
    assert str(NotFound(404, "Not Found", "no job 7")) == "the edge answered 404 Not Found: no job 7"
