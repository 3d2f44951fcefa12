"""The command `engineroom`: finds the command module, runs it, turns errors to codes.

A command's module is imported only when it is used, so that `engineroom doctor` works
when another command cannot even be imported, and nobody waits for what is not needed.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn, cast

from engineroom import errors
from engineroom.cli.render import Render
from engineroom.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol

    class Command(Protocol):
        """What the module of a command offers."""

        HELP: str

        def configure(self, parser: argparse.ArgumentParser) -> None:
            """Declare the arguments."""
            ...

        def run(self, arguments: argparse.Namespace, render: Render) -> int:
            """Do it, and return the exit code."""
            ...


__all__ = [
    "COMMANDS",
    "DESCRIPTION",
    "EXIT_CODES",
    "command_parser",
    "exit_code",
    "main",
]

DESCRIPTION = "A native SQL engine that installs, loads and explains itself."

COMMANDS = {
    "query": "engineroom.cli.query",
    "targets": "engineroom.cli.targets",
    "health": "engineroom.cli.health",
    "doctor": "engineroom.cli.doctor",
    "check": "engineroom.cli.check",
    "store": "engineroom.cli.store",
    "fetch": "engineroom.cli.fetch",
    "explain": "engineroom.cli.explain",
    "monitor": "engineroom.cli.monitor",
}

# Every exit code with what it means; commands may give 1 and 2 a narrower meaning.
EXIT_CODES = {
    0: "all went well",
    1: "something unexpected: a fault in Engineroom, with its traceback",
    2: "the command was used wrongly",
    3: "no engine could be loaded, or an optional package is missing",
    4: "the database or its metrics could not be reached, or failed on their side",
    5: "the SQL or its data were refused",
    6: "the artifact store failed or refused",
    7: "a target, or the list of targets, is wrong",
    8: "the database did not answer when its health was asked for",
    9: "the gate of `engineroom monitor` found a problem",
    130: "interrupted",
    141: "whoever read the output has gone",
}

# The first class that fits gives the code.
_CODES_BY_CLASS: tuple[tuple[type[errors.Error], int], ...] = (
    (errors.LoadError, 3),
    (errors.MissingExtra, 3),
    (errors.MalformedBinary, 3),
    (errors.TargetError, 7),
    (errors.CheckError, 2),
    (errors.StoreNotNamed, 2),
    (errors.StoreSettingWrong, 2),
    (errors.StoreError, 6),
    (errors.UrlError, 4),
    (errors.NotADatabase, 4),
    (errors.DatabaseCorrupt, 4),
    (errors.OperationalError, 4),
    (errors.InterfaceError, 4),
    (errors.DatabaseError, 5),
    (errors.MetricsUnreachable, 4),
    (errors.MetricsNotUnderstood, 4),
    (errors.Error, 1),
)


class _Usage(Exception):
    """A command was used wrongly; carries what to say."""

    def __init__(self, parser: argparse.ArgumentParser, message: str) -> None:
        super().__init__(message)
        self.usage = parser.format_usage()
        self.prog = parser.prog


class _Parser(argparse.ArgumentParser):
    """An argument parser that leaves writing to `Render`."""

    def error(self, message: str) -> NoReturn:
        raise _Usage(self, message)

    def print_help(self, file: object = None) -> None:  # noqa: ARG002 - argparse's
        Render().line(self.format_help().rstrip())


def main(words: Sequence[str] | None = None) -> int:
    """Run the command that the words name and return the exit code.

    Args:
        words: the command line without the program's name; `sys.argv` if None.
    """
    words = sys.argv[1:] if words is None else list(words)
    render = Render()
    try:
        code = _answer(words, render)
        render.flush()
    except BrokenPipeError:
        render.abandon()
        code = 141
    return code


def _answer(words: Sequence[str], render: Render) -> int:
    """Run the command; show what goes wrong, and return the exit code for it."""
    as_json = "--json" in words
    try:
        return _run(words, render)
    except errors.Error as error:
        render.error(error, as_json=as_json)
        return exit_code(error)
    except _Usage as error:
        if as_json:
            render.failure("usage", "Usage", str(error), f"{error.prog} --help")
        render.note(f"{error.usage}{error.prog}: {error}")
        return 2
    except KeyboardInterrupt:
        render.note("interrupted")
        return 130
    except BrokenPipeError:
        raise
    except Exception as error:
        import traceback

        if as_json:
            render.failure("unexpected", type(error).__name__, str(error))
        render.note(traceback.format_exc().rstrip())
        return 1


def exit_code(error: errors.Error) -> int:
    """Return the exit code for a failure."""
    return next(code for kind, code in _CODES_BY_CLASS if isinstance(error, kind))


def command_parser(name: str) -> tuple[Command, argparse.ArgumentParser]:
    """Return the module of a command and the parser of its arguments."""
    command = cast("Command", import_module(COMMANDS[name]))
    text = f"{command.HELP[:1].upper()}{command.HELP[1:]}."
    parser = _Parser(prog=f"engineroom {name}", description=text, allow_abbrev=False)
    command.configure(parser)
    return command, parser


def _run(words: Sequence[str], render: Render) -> int:
    if words and words[0] in COMMANDS:
        command, parser = command_parser(words[0])
        try:
            arguments = parser.parse_args(words[1:])
        except SystemExit as end:  # --help has been answered
            return int(end.code or 0)
        return command.run(arguments, render)
    if words[:1] == ["--version"]:
        render.line(f"engineroom {__version__}")
        return 0
    render.line(_overview())
    if words and words[0] in ("-h", "--help"):
        return 0
    return 2 if not words else _unknown(words[0], render)


def _unknown(word: str, render: Render) -> int:
    render.flush()
    render.note(f"engineroom: there is no command `{word}`")
    return 2


def _overview() -> str:
    """Return the help on the command itself."""
    lines = [
        "usage: engineroom [--help] [--version] COMMAND ...",
        "",
        DESCRIPTION,
        "",
        "commands:",
    ]
    for name, module in COMMANDS.items():
        try:
            text = import_module(module).HELP
        except Exception as error:  # one broken command hides no other
            text = f"cannot be imported: {error}"
        lines.append(f"  {name:10}{text}")
    lines += ["", "`engineroom COMMAND --help` describes a command."]
    return "\n".join(lines)
