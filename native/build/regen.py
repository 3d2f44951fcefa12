"""Writes every generated file of this repository, or checks that all are up to date.

    python -m native.build.regen [--check]

`GENERATED` is the whole list: a path and the function that makes its text, a pure
function of the tree. Another generated file is another entry. What a page documents
(the command line, the loader's settings) is imported by name when its turn comes: the
build depends on none of it, and a page about a broken module breaks alone.
"""

from __future__ import annotations

import argparse
import difflib
import inspect
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[2]
# The tree is documented, never an installed copy of it.
sys.path[:0] = [str(ROOT / "engine"), str(ROOT)]

from engineroom.errors import Error  # noqa: E402 - after the path is set
from engineroom.platforms.manifest import (  # noqa: E402
    FIELDS,
    load_targets,
    rows_text,
)
from native.build import error_pages  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from engineroom.platforms.target import Target

__all__ = ["GENERATED", "main"]

_MADE_BY = "<!-- Written by `nox -s regen`; changes made here are lost. -->"
# The trees in which exceptions and settings are looked for.
_PACKAGES = (ROOT / "engine" / "engineroom", ROOT / "native" / "build")
_ERROR_PAGES = "engine/engineroom/errors/pages"
# What the keywords of `open()` take and mean that are not in its table of options.
_OPEN_KEYWORDS = {
    "replicas": (
        "a sequence of URLs",
        "servers that follow the primary; what is `read_only=True` is read there",
    ),
    "start": (
        "`wait`, `background` or `first use`",
        "who does the warm-up: `open()`, a thread or task beside it, or the first call",
    ),
}


def rows() -> str:
    """Return the targets of platforms.toml as Python."""
    return rows_text(_targets())


def platforms_page() -> str:
    """Return the reference page of the targets and of the keys of platforms.toml."""
    targets = _targets()
    systems = [
        (
            f"`{target.id}`",
            f"`{target.family}`",
            f"{'macOS' if target.os == 'darwin' else target.libc} {target.libc_floor}",
            target.cpu,
            target.tls,
            f"`{target.wheel_tag}`",
        )
        for target in targets
    ]
    aliases = [
        (f"`{a}`", f"`{target.id}`") for target in targets for a in target.aliases
    ]
    return _page(
        "Platforms",
        "Engineroom is built for these targets.",
        "The loader chooses among them from the running process;"
        " `engineroom targets` shows which fit yours.",
        "",
        *_table(
            ("Target", "Family", "Oldest system", "CPU", "OpenSSL", "Wheel"), systems
        ),
        "",
        "A family selects its targets on every CPU, `all` selects all targets, and"
        " `native` (or `host`) those that fit the machine.",
        "",
        "## Other names",
        "",
        "These names, which Prisma users know, are understood as well.",
        "",
        *_table(("Name", "Target"), aliases),
        "",
        "## Keys of platforms.toml",
        "",
        "The file holds `format = 1` and one table `[target.NAME]` a target.",
        "Every key must be there, and no other may be.",
        "",
        *_table(
            ("Key", "Meaning"), [(f"`{name}`", text) for name, text in FIELDS.items()]
        ),
    )


def tls_functions() -> str:
    """Return the functions of OpenSSL that engines call, as a C macro."""
    return str(import_module("native.build.tls").functions_header())


def errors_page() -> str:
    """Return the reference page of the exceptions, by code."""
    lines: list[str] = []
    for kind in sorted(_exceptions(), key=lambda kind: kind.code):
        bases = ", ".join(f"`{base.__name__}`" for base in kind.__bases__)
        summary, attributes = _docstring(kind)
        lines += [
            f"## {kind.code} {kind.__name__}",
            "",
            summary,
            f"A kind of {bases}.",
            *_fault(kind),
            *_sqlstates(kind),
            *_link(kind),
            "",
        ]
        if attributes:
            lines += [*_table(("Attribute", "Meaning"), attributes), ""]
    return _page(
        "Errors",
        "Every exception has a code that never gets a second meaning.",
        "Catch the class, read the attributes, quote the code.",
        "Every one of them has `code`, `message` and `hint`, and tells what can be done"
        " about it by `fault`, `retryable`, `sent_to_server` and `poisons_connection`,"
        " which [another page](../concepts/errors.md) explains.",
        "`engineroom explain CODE` prints what is known of a code, without a browser.",
        "",
        *lines[:-1],
    )


def faults_page() -> str:
    """Return the reference page of what is decided for each class of errors."""
    faults = import_module("engineroom.errors.faults")
    return _page(
        "Faults",
        "What each error says of itself; [the words](../concepts/errors.md) are"
        " explained elsewhere.",
        "A class that is not here is decided by the nearest above it that is.",
        "",
        *_table(
            ("Fault", "Again?", "Connection", "Classes", "Why"),
            [
                (
                    f"`{row.word}`",
                    "may succeed" if row.is_retryable else "no",
                    "is spent" if row.is_poison else "stays",
                    ", ".join(f"`{name}`" for name in row.names),
                    row.why,
                )
                for row in faults.ROWS
            ],
        ),
    )


def cli_page() -> str:
    """Return the reference page of the command line."""
    cli = import_module("engineroom.cli.main")
    lines: list[str] = []
    for name in cli.COMMANDS:
        _, parser = cli.command_parser(name)
        lines += _command(parser, "##")
    return _page(
        "Command line",
        cli.DESCRIPTION,
        "`python -m engineroom` does the same as `engineroom`.",
        "With `--json` a command prints one JSON value, and a failure as"
        ' `{"error": {"code", "class", "message", "hint"}}`.',
        "",
        *lines,
        "## Exit codes",
        "",
        *_table(
            ("Code", "Meaning"),
            [(str(code), meaning) for code, meaning in cli.EXIT_CODES.items()],
        ),
        "",
        "`engineroom doctor` ends with 0 for ok, 1 for a problem, 2 for cannot tell.",
    )


def settings_page() -> str:
    """Return the reference page of environment variables and of URL settings."""
    variables: list[str] = []
    for path in sorted(_modules("settings.py")):
        settings = getattr(import_module(_module_name(path)), "SETTINGS", ())
        for name, holds, does in settings:
            variables += [f"### `{name}`", "", f"Holds {holds}.", does, ""]
    of_urls = import_module("engineroom.connection.settings")
    return _page(
        "Settings",
        "## Environment variables",
        "",
        "One that is set to nothing counts as unset.",
        "",
        *variables,
        "## Connection URLs",
        "",
        "A URL takes settings behind a `?`, with `&` between:"
        " `sqlite:///file.db?mode=ro&timeout_seconds=2`.",
        "",
        "### SQLite",
        "",
        *_url_settings(of_urls.SQLITE_SETTINGS),
        "",
        "### PostgreSQL",
        "",
        "A URI or a list of `name=value` takes these, and every setting of libpq:"
        " `postgresql://user@host/database?sslmode=verify-full&prepared=off`.",
        "What the string does not say comes from libpq's service file, environment and"
        " password file; `connect_timeout` is 10 seconds where none of them says.",
        "",
        *_url_settings(of_urls.POSTGRES_SETTINGS),
        "",
        "## Clients",
        "",
        "`engineroom.open()` and `engineroom.aio.open()` take a URL and these keywords;"
        " [the guide](../guides/pool.md) tells when to change one.",
        "",
        *_client_options(),
    )


def _client_options() -> Iterator[str]:
    """Yield the table of what `open()` takes: its own keywords, then the options."""
    opening = import_module("engineroom.pool.client").open_client
    rows: list[tuple[str, str, str, str]] = []
    for one in inspect.signature(opening).parameters.values():
        if one.kind is one.KEYWORD_ONLY:
            takes, meaning = _OPEN_KEYWORDS[one.name]
            rows.append((f"`{one.name}`", takes, f"`{one.default!r}`", meaning))
    for option in import_module("engineroom.pool.options").OPTIONS:
        default = f"`{option.default!r}`"
        rows.append((f"`{option.name}`", option.takes, default, option.meaning))
    return _table(("Option", "Takes", "Default", "Meaning"), rows)


def metrics_page() -> str:
    """Return the reference page of what a client counts."""
    table = import_module("engineroom.metrics.table")
    gate = import_module("engineroom.metrics.gate")
    lines: list[str] = []
    for kind, title in (
        (table.COUNTER, "Counters"),
        (table.GAUGE, "Gauges"),
        (table.HISTOGRAM, "Histograms, in seconds"),
    ):
        rows = [
            (
                f"`{metric.name}`",
                f"{metric.help}{', worked out' if metric.is_derived else ''}",
                f"`{metric.label}`: {metric.values}" if metric.label else "",
                f"`{metric.exported}`",
            )
            for metric in table.of_kind(kind)
        ]
        columns = ("Name", "What it tells", "Label", "In Prometheus")
        lines += [f"## {title}", "", *_table(columns, rows), ""]
    return _page(
        "Metrics",
        "What `client.metrics` counts, [and how to watch it](../guides/monitor.md).",
        "Prometheus' text has the names of the last column, and OpenTelemetry"
        " `engineroom.` with those of the first.",
        "There a histogram is three counters, `.count`, `.sum` and `.bucket`, because"
        " OpenTelemetry has no histogram that is asked for its samples.",
        "",
        *lines,
        "## The snapshot",
        "",
        "`client.snapshot()` is plain data that JSON can hold.",
        "Counters without a label are there from the start, those with one from the"
        " first count.",
        "Later versions may add keys.",
        "",
        *_table(
            ("Key", "What it holds"),
            [(f"`{key}`", meaning) for key, meaning in table.SNAPSHOT_KEYS.items()],
        ),
        "",
        "## Thresholds of the gate",
        "",
        *_table(
            ("Option", "Default", "What it is"),
            [
                (f"`--{name.replace('_', '-')}`", f"{default:g}", meaning)
                for name, (default, meaning) in gate.THRESHOLDS.items()
            ],
        ),
    )


def _url_settings(settings: Iterable[Any]) -> Iterator[str]:
    return _table(
        ("Setting", "Takes", "Default", "Meaning"),
        [
            (f"`{one.name}`", one.allowed, f"`{one.default}`", one.meaning)
            for one in settings
        ],
    )


def verdicts_page() -> str:
    """Return the reference page of the loader's verdicts."""
    verdicts = import_module("engineroom.loader.attempt").VERDICTS
    return _page(
        "Verdicts",
        "What became of each engine that could have been loaded.",
        "`LoadError.attempts` and `engineroom doctor --json` name them.",
        "A word never changes its meaning; the reason beside it is for people.",
        "",
        *_table(
            ("Verdict", "Meaning"),
            [(f"`{word}`", meaning) for word, meaning in verdicts.items()],
        ),
    )


GENERATED: tuple[tuple[str, Callable[[], str]], ...] = (
    ("engine/engineroom/platforms/rows.py", rows),
    ("docs/reference/platforms.md", platforms_page),
    ("docs/reference/errors.md", errors_page),
    ("docs/reference/faults.md", faults_page),
    ("docs/reference/cli.md", cli_page),
    ("docs/reference/metrics.md", metrics_page),
    ("docs/reference/settings.md", settings_page),
    ("docs/reference/verdicts.md", verdicts_page),
    ("native/src/qe_postgres_tls_functions.h", tls_functions),
)


def main(words: Sequence[str] | None = None, *, root: Path = ROOT) -> int:
    """Write or check the generated files; return 1 if a check finds one out of date."""
    parser = argparse.ArgumentParser(prog="regen", description=__doc__)
    parser.add_argument(
        "--check",
        action="store_true",
        help="change nothing; fail if a file would change",
    )
    is_check = parser.parse_args(words).check
    stale = 0
    for name, make in GENERATED:
        path = root / name
        new = make()
        old = path.read_text("utf-8") if path.exists() else ""
        if new == old:
            continue
        stale += 1
        if is_check:
            diff = difflib.unified_diff(
                old.splitlines(),
                new.splitlines(),
                name,
                f"{name} as it should be",
                "",
                "",
                1,
            )
            sys.stdout.write("\n".join(line.rstrip("\n") for line in diff) + "\n")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(new, "utf-8")
            sys.stdout.write(f"wrote {name}\n")
    faults = error_pages.faults(_exceptions(), ROOT / _ERROR_PAGES)
    for fault in faults:
        sys.stdout.write(f"{fault}\n")
    if is_check and stale:
        sys.stdout.write(
            f"{stale} generated files are out of date: run `nox -s regen`\n"
        )
        return 1
    if faults:
        return 1
    sys.stdout.write(f"{len(GENERATED)} generated files are up to date\n")
    return 0


def _targets() -> tuple[Target, ...]:
    return load_targets(str(ROOT / "platforms.toml"))


def _modules(name: str) -> Iterator[Path]:
    for package in _PACKAGES:
        yield from package.rglob(name)


def _module_name(path: Path) -> str:
    above = ROOT / "engine" if ROOT / "engine" in path.parents else ROOT
    parts = path.relative_to(above).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _exceptions() -> list[type[Error]]:
    kinds: dict[str, type[Error]] = {}
    homes = [*_modules("errors.py"), *_modules("errors/*.py")]
    for path in sorted(homes):
        for kind in vars(import_module(_module_name(path))).values():
            if not (isinstance(kind, type) and issubclass(kind, Error)):
                continue
            other = kinds.setdefault(kind.code, kind)
            if other is not kind:
                names = f"{other.__name__} and {kind.__name__}"
                raise ValueError(f"{kind.code} is the code of two classes: {names}")
    return list(kinds.values())


def _sqlstates(kind: type[Error]) -> list[str]:
    """Return what the page says of the states that a class stands for."""
    states: tuple[str, ...] = vars(kind).get("sqlstates", ())
    if not states:
        return []
    listed = ", ".join(f"`{state}`" for state in states)
    return [f"SQLSTATE {listed}{' and what begins so' if len(states[0]) < 5 else ''}."]


def _fault(kind: type[Error]) -> list[str]:
    """Return what the page says can be done, of errors of connections and queries."""
    fault = import_module("engineroom.errors.faults").fault_of(kind)
    if not fault.word:
        return []
    again = (
        "may succeed when made again" if fault.is_retryable else "not to be repeated"
    )
    spent = "; the connection is spent" if fault.is_poison else ""
    return [f"Fault `{fault.word}`: {again}{spent}."]


def _link(kind: type[Error]) -> list[str]:
    """Return the link to the page of a class, if it has one."""
    page = f"{_ERROR_PAGES}/{kind.code}.md"
    if not (ROOT / page).exists():
        return []
    return [f"[Causes, and what mends it](../../{page})."]


def _docstring(kind: type[Error]) -> tuple[str, list[tuple[str, str]]]:
    """Return what a class's docstring says of it, and of its attributes."""
    # Python 3.13 takes the indentation away by itself.
    text, _, listed = inspect.cleandoc(kind.__doc__ or "").partition("\nAttributes:\n")
    attributes: list[tuple[str, str]] = []
    for line in listed.splitlines():
        entry = line.strip()
        if not entry:
            continue
        if line.startswith(" " * 8) and attributes:
            name, so_far = attributes[-1]
            attributes[-1] = (name, f"{so_far} {entry}")
        else:
            name, _, meaning = entry.partition(": ")
            attributes.append((f"`{name}`", meaning))
    return " ".join(text.split()), attributes


def _command(parser: argparse.ArgumentParser, heading: str) -> Iterator[str]:
    """Yield the lines on a command and those below it."""
    # argparse prints help in a form that differs between versions of Python, and has
    # no public way to ask a parser what it knows.
    actions: list[Any] = parser._actions  # noqa: SLF001 - see above
    below: dict[str, argparse.ArgumentParser] = {}
    rows: list[tuple[str, str]] = []
    for action in actions:
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - see above
            below = dict(action.choices)
        elif action.dest != "help":
            rows.append((_argument(action), _meaning(action)))
    yield from (f"{heading} {parser.prog}", "", parser.description or "", "")
    if rows:
        yield from _table(("Argument", "Meaning"), rows)
        yield ""
    for command in below.values():
        yield from _command(command, f"{heading}#")


def _argument(action: Any) -> str:
    value = action.metavar or action.dest.upper()
    if action.nargs == 0:
        value = ""
    name = ", ".join(action.option_strings)
    text = f"{name} {value}".strip()
    if action.nargs == "+":
        text += " ..."
    is_optional = action.nargs in ("?", "*") or (
        action.option_strings and not action.required
    )
    return f"`[{text}]`" if is_optional else f"`{text}`"


def _meaning(action: Any) -> str:
    text = str(action.help or "")
    if action.choices:
        text += f" ({', '.join(str(choice) for choice in action.choices)})"
    return text


def _page(title: str, *lines: str) -> str:
    return "\n".join([f"# {title}", "", _MADE_BY, "", *lines]).rstrip() + "\n"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"| {' | '.join('---' for _ in columns)} |"
    for row in rows:
        cells = (cell.replace("|", "\\|").replace("\n", " ") for cell in row)
        yield f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
