"""`tailrace edge`: one edge in the foreground. Its options are made from its settings, so that none is left out."""

import inspect
from collections.abc import Callable
from types import UnionType
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import SettingsError
from tailrace_edge.settings import Settings, name_variable
from tailrace_protocol.errors import SetupError

_ALIASES = {"nats_url": ["--nats"]}
_METAVARS = {int: "INTEGER", float: "NUMBER", str: "TEXT"}


def name_option(field: str) -> str:
    """Return the option of a setting."""
    return f"--{field.replace('_', '-')}"


def read_settings(options: dict[str, Any]) -> Settings:
    """Return the settings that options and environment make together; options come first.

    Raises:
        BadParameter: one cannot be; the error names option and variable.
        SetupError: they do not go together.
    """
    try:
        return Settings(**{field: value for field, value in options.items() if value is not None})
    except ValidationError as error:
        raise typer.BadParameter("; ".join(_describe(found) for found in error.errors())) from None
    except SettingsError as error:
        raise SetupError(str(error)) from None


def _describe(found: Any) -> str:
    field = str(found["loc"][0])
    return f"{name_option(field)} ({name_variable(field)}): {found['msg']}, not {found['input']!r}"


def _make_parameter(field: str, info: FieldInfo) -> inspect.Parameter:
    option = typer.Option(
        name_option(field) + (f"/--no-{field.replace('_', '-')}" if info.annotation is bool else ""),
        *_ALIASES.get(field, ()),
        help=f"{info.description}{_format_choices(info)} [dim]({name_variable(field)}{_format_default(info)})[/dim]",
        metavar=_name_metavar(info.annotation),
        show_default=False,
        rich_help_panel=_find_panel(field),
    )
    # pydantic converts and checks the texts, from options and variables alike.
    kind = bool if info.annotation is bool else info.annotation if _is_literal(info) else str
    return inspect.Parameter(
        field, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[_optional(kind), option]
    )


_MAIN = ("nats_url", "host", "port", "reuse_port", "name", "cors_origins", "faults", "log_level", "log_format")
_AUTH = ("auth", "insecure", "jwt", "jwks", "ticket")


def _find_panel(field: str) -> str:
    if field in _MAIN:
        return "Options"
    return "Who gets in" if field.startswith(_AUTH) else "Limits"


def _optional(kind: Any) -> UnionType:
    optional: UnionType = kind | None
    return optional


def _is_literal(info: FieldInfo) -> bool:
    return get_origin(info.annotation) is Literal


def _name_metavar(annotation: Any) -> str | None:
    return None if annotation is bool else _METAVARS.get(annotation, "TEXT")


def _format_choices(info: FieldInfo) -> str:
    return f" One of {', '.join(get_args(info.annotation))}." if _is_literal(info) else ""


def _format_default(info: FieldInfo) -> str:
    return "" if info.is_required() or info.default in (None, (), "") or info.default_factory else f", {info.default}"


def _make_command() -> Callable[..., None]:
    def edge(**options: Any) -> None:
        settings = read_settings(options)
        # The server, with all that it imports, takes longer than any other command.
        from tailrace_edge.server import run  # noqa: PLC0415

        run(settings)

    # Secrets are variables alone: everybody on the machine can read a command line.
    fields = Settings.model_fields.items()
    parameters = [_make_parameter(field, info) for field, info in fields if info.annotation is not SecretStr]
    edge.__doc__ = """Run one edge in the foreground, until it is told to stop; then it drains.

    Each option is also an environment variable; the option comes first. Secrets are variables only:
    TAILRACE_JWT_SECRET, TAILRACE_TICKET_SECRET. Times are in seconds, sizes in bytes.

    Example:  [bold]tailrace edge --port 8081 --nats nats://127.0.0.1:4222[/bold]
    """
    edge.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # read by inspect.signature
    edge.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return edge


command = _make_command()
