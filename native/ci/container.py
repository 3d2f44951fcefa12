"""Runs cibuildwheel on this machine, in a container that is made on it.

The images of the manylinux project come from a registry, which not every machine can
reach. This makes one with the same layout out of Debian packages: the oldest glibc and
Python that Debian's mirrors still carry. It is for trying the configuration, the build
inside a container and the test command, all with the real cibuildwheel. It is not
manylinux_2_28 itself: the real images run in CI.

The engine that comes out must be, byte for byte, the one that is built outside.
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from engineroom.platforms.select import native_targets
from native.build.cache import text_sha256
from native.build.errors import StepFailed
from native.build.pins import load_sources
from native.build.programs import run_program
from native.build.settings import CACHE
from native.build.sources import ensure_source
from native.build.wheel import build_wheel
from native.ci import ROOT
from native.ci.compare import refuse_different
from native.ci.errors import MachineUnfit
from native.ci.sdist import build_sdist

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engineroom.platforms.target import Target
    from native.build.cache import Cache
    from native.build.report import Report

__all__ = ["cibuildwheel_here"]

SUITE = "bullseye"  # glibc 2.31 and Python 3.9
PACKAGES = (
    "ca-certificates", "make", "perl", "python3", "python3-pip", "python3-venv",
)  # fmt: skip
PYTHON = "cp39-cp39"
# Where an image of manylinux has its Pythons; cibuildwheel looks nowhere else.
LAYOUT = f"/usr/bin/python3 -m venv /opt/python/{PYTHON}"
IMAGE = "localhost/engineroom-manylinux"
PROGRAMS = {"debootstrap": "debootstrap", "podman": "podman", "runc": "runc"}

# What the container may use of this machine: its network, its trust and its settings
# of pip, and nothing that a compiler reads.
TRUST = ("/etc/ssl/certs", "/usr/share/ca-certificates", "/usr/local/share")
PIP_FILES = ("/etc/pip.conf", "~/.config/pip/pip.conf", "~/.pip/pip.conf")
PASSED = ("PIP_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE")
INNER_CACHE = "/engineroom-cache"

# Machines without a systemd, such as other containers, refuse crun and any limit above
# their own; a bridge between networks needs more rights than any build should have.
ENGINE_SETTINGS = """\
[containers]
netns = "host"
default_ulimits = ["nofile=1024:4096", "nproc=1024:1024"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
_SHOWN_LINES = 40


class Made(NamedTuple):
    """What a run leaves behind.

    Attributes:
        wheel: the wheel that cibuildwheel made.
        log: all that it said.
    """

    wheel: Path
    log: Path


def cibuildwheel_here(cache: Cache, report: Report, folder: Path) -> Made:
    """Build this machine's wheel with cibuildwheel and hold it against our own.

    Args:
        cache: has the sources, which the container reads and cannot write.
        report: told what is being done.
        folder: where the wheel and the log go.

    Raises:
        MachineUnfit: no container can be run here.
        StepFailed: cibuildwheel failed.
        EnginesDiffer: its engine is not the one built without it.
    """
    target = _target()
    _need_programs()
    for source in load_sources().values():
        ensure_source(source, cache, report)
    folder.mkdir(parents=True, exist_ok=True)
    with _podman_settings(cache) as environment:
        image = _ensure_image(cache, report, environment)
        report.step("image", image)
        with cache.scratch() as scratch:
            sdist = build_sdist(scratch)
            report.step("sdist", sdist.name)
            made = _run(sdist, target, image, cache, environment, folder)
            report.step("wheel", f"{made.wheel} by cibuildwheel, log in {made.log}")
            _audit(made.wheel, report)
            own = scratch / "own"
            build_wheel(own, [target.id])
            for line in refuse_different(own, folder):
                report.step("same", line)
    return made


def _target() -> Target:
    """Return this machine's target that a manylinux wheel is for."""
    for target in native_targets():
        if target.libc == "glibc":
            return target
    raise MachineUnfit(
        f"{platform.machine()} with another C library than glibc",
        hint="cibuildwheel itself runs here only on Linux with glibc",
    )


def _need_programs() -> None:
    missing = [PROGRAMS[name] for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        raise MachineUnfit(
            f"it has no {', '.join(missing)}",
            hint=f"run `apt-get install --no-install-recommends {' '.join(missing)}`",
        )
    if os.geteuid() != 0:
        raise MachineUnfit(
            "making an image with debootstrap takes root",
            hint="run this as root, on a machine that may be lost",
        )


@contextmanager
def _podman_settings(cache: Cache) -> Iterator[dict[str, str]]:
    """Give an environment in which podman works with our settings."""
    with cache.scratch() as folder:
        path = folder / "containers.conf"
        path.write_text(ENGINE_SETTINGS, encoding="utf-8")
        yield {**os.environ, "CONTAINERS_CONF": str(path)}


def _ensure_image(cache: Cache, report: Report, environment: dict[str, str]) -> str:
    """Return the name of the image, making it if podman has none of that recipe."""
    recipe = text_sha256(SUITE, *PACKAGES, LAYOUT)
    image = f"{IMAGE}:{recipe[:16]}"
    known = ["podman", "image", "exists", image]
    if subprocess.run(known, env=environment, check=False).returncode == 0:
        return image
    report.step("image", f"making {image} from Debian {SUITE}")
    with cache.scratch() as scratch:
        tree = scratch / "tree"
        packages = f"--include={','.join(PACKAGES)}"
        command = ["debootstrap", "--variant=minbase", packages, SUITE, str(tree)]
        run_program(f"making a root of Debian {SUITE}", [*command, *_mirror()])
        run_program("laying it out", ["chroot", str(tree), *shlex.split(LAYOUT)])
        archive = scratch / "tree.tar"
        command = ["tar", "--create", "--file", str(archive), "--directory", str(tree)]
        run_program("packing it", [*command, "--one-file-system", "."])
        run_program(
            "importing it into podman",
            ["podman", "import", "--quiet", str(archive), image],
            environment=environment,
        )
    return image


def _mirror() -> list[str]:
    """Return the mirror of Debian that this machine uses, if it is set up with one.

    Without one debootstrap knows where Debian is.
    """
    if shutil.which("apt-get") is None:
        return []
    told = run_program(
        "asking apt for its mirrors",
        ["apt-get", "indextargets", "--format", "$(ORIGIN) $(SUITE) $(REPO_URI)"],
    )
    # Security updates and the like stand elsewhere, below suites of other names.
    found = [line.split() for line in told.splitlines()]
    return [
        words[2]
        for words in found
        if len(words) == 3 and words[0] == "Debian" and "-" not in words[1]
    ][:1]


def _run(
    sdist: Path,
    target: Target,
    image: str,
    cache: Cache,
    environment: dict[str, str],
    folder: Path,
) -> Made:
    log_path = folder / "cibuildwheel.log"
    cpu = target.cibuildwheel.rpartition("manylinux_")[2]
    for old in folder.glob("*.whl"):
        old.unlink()
    command = [sys.executable, "-m", "cibuildwheel", "--platform", "linux"]
    command += ["--output-dir", str(folder), str(sdist)]
    settings = {
        "CIBW_BUILD": target.cibuildwheel,
        f"CIBW_MANYLINUX_{cpu.upper()}_IMAGE": image,
        "CIBW_CONTAINER_ENGINE": _engine(cache),
        "CIBW_ENVIRONMENT": f"{CACHE}={INNER_CACHE}",
        "CIBW_BUILD_VERBOSITY": "1",
        # For its own audit, by abi3audit, cibuildwheel fetches virtualenv from where
        # that is released, which not every machine can reach. Ours runs it too.
        "CIBW_AUDIT_COMMAND": "",
    }
    with log_path.open("w", encoding="utf-8") as log:
        done = subprocess.run(
            command,
            cwd=sdist.parent,
            env={**environment, **settings},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        lines = log_path.read_text(encoding="utf-8", errors="replace").splitlines()
        raise StepFailed(
            f"cibuildwheel, which tells all in `{log_path}`,",
            command=shlex.join(command),
            exit_code=done.returncode,
            output="\n".join(lines[-_SHOWN_LINES:]),
        )
    return Made(wheels[0], log_path)


def _audit(wheel: Path, report: Report) -> None:
    """Run the audit as users do; what it finds is in the error."""
    command = [sys.executable, "-m", "native.audit", str(wheel)]
    for line in run_program("the audit", command, folder=ROOT).splitlines():
        report.line(f"  {line}".rstrip())


def _engine(cache: Cache) -> str:
    """Return what cibuildwheel is told of podman, in its own notation."""
    home = str(Path.home())
    # The sources alone: with the whole cache the engine would be there already.
    words = [f"--volume={cache.path('sources')}:{INNER_CACHE}/sources:ro"]
    shared = [place for place in TRUST if os.path.isdir(place)]
    shared += [path for path in map(os.path.expanduser, PIP_FILES) if _is_file(path)]
    for place in shared:
        inside = place.replace(home, "/root", 1) if place.startswith(home) else place
        words.append(f"--volume={place}:{inside}:ro")
    words += [f"--env={name}" for name in os.environ if name.upper().startswith(PASSED)]
    return f"podman; create_args: {shlex.join(words)}; disable_host_mount: yes"


def _is_file(path: str) -> bool:
    return os.path.isfile(path)
