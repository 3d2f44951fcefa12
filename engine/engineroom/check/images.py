"""From the name of a base image to the target that a process in it needs.

An image is judged by its name and tag alone; nothing is pulled. What cannot be told
is said to be unknown, and asks for nothing.
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["Base", "base_of", "is_bare"]


class Base(NamedTuple):
    """What an image is built on.

    Attributes:
        system: such as `Debian 12`; empty if it cannot be told.
        prisma: the target as Prisma calls it; empty if none is needed.
        is_too_old: whether its C library is older than every engine needs.
    """

    system: str = ""
    prisma: str = ""
    is_too_old: bool = False


# Release of Debian: its number; and those of Ubuntu the same way.
_DEBIAN = {
    "stretch": 9, "buster": 10, "bullseye": 11, "bookworm": 12, "trixie": 13,
    "forky": 14, "sid": 14,
}  # fmt: skip
_UBUNTU = {
    "xenial": 16, "bionic": 18, "focal": 20, "jammy": 22, "noble": 24, "plucky": 25,
}  # fmt: skip
# Images of languages, which stand on Debian unless their tag says otherwise.
_ON_DEBIAN = frozenset(
    ("python", "node", "bun", "deno", "golang", "rust", "ruby", "php", "openjdk",
     "buildpack-deps", "perl", "uv", "pypy", "poetry", "playwright")
)  # fmt: skip
# Servers and proxies, in which the code of a service does not run.
_SERVERS = frozenset(
    ("postgres", "postgresql", "postgis", "mysql", "mariadb", "redis", "valkey",
     "nginx", "nginx-unprivileged", "httpd", "caddy", "traefik", "mongo", "rabbitmq",
     "memcached", "minio", "haproxy", "envoy", "elasticsearch", "opensearch",
     "clickhouse-server", "kafka", "zookeeper", "grafana", "prometheus", "scratch",
     "busybox", "pgbouncer", "mailhog", "nats", "vault", "consul", "etcd")
)  # fmt: skip
_EL = frozenset(
    ("rockylinux", "rocky", "almalinux", "alma", "centos", "oraclelinux", "rhel",
     "redhat", "ubi", "fedora")
)  # fmt: skip
_EL_PATH = re.compile(r"(?:^|/)(?:ubi|rhel)(\d+)?(?:[-/]|$)")
_EL_TAG = re.compile(r"(?:^|-)(?:ubi|rhel|el)-?(\d+)")


def base_of(image: str, platform: str = "") -> Base:
    """Return what an image is built on.

    Args:
        image: its name as `FROM` has it, such as `python:3.12-alpine`.
        platform: such as `linux/arm64`; x86_64 if it is empty or cannot be told.
    """
    image = image.lower().partition("@")[0]
    path, _, tag = image.rpartition(":") if ":" in image.rsplit("/", 1)[-1] else (
        image, "", "",
    )  # fmt: skip
    name = path.rsplit("/", 1)[-1]
    if name in _SERVERS or "$" in image:
        return Base()
    is_arm = re.search(r"\b(arm64|aarch64)\b", platform.lower()) is not None
    if name.startswith(("arm64v8", "aarch64")) or "/arm64v8/" in f"/{path}":
        is_arm = True
    return (
        _musl(name, tag, is_arm)
        or _enterprise(path, name, tag, is_arm)
        or _amazon(path, name, tag, is_arm)
        or _debian(path, name, tag, is_arm)
        or Base()
    )


def is_bare(image: str) -> bool:
    """Say whether an image holds a language or a system and no program of its own.

    A compose file that runs such an image runs the code of a service in it.
    """
    name = image.lower().partition("@")[0].rsplit("/", 1)[-1].partition(":")[0]
    plain = re.sub(r"\d.*$", "", name)
    return plain in _ON_DEBIAN | _EL | {"alpine", "debian", "ubuntu", "amazonlinux"}


def _glibc(system: str, family: str, openssl: str, is_arm: bool, is_old: bool) -> Base:
    family = "linux-arm64" if is_arm else family
    return Base(system, f"{family}-openssl-{openssl}.x", is_old)


def _musl(name: str, tag: str, is_arm: bool) -> Base | None:
    if "alpine" not in name and "alpine" not in tag:
        return None
    found = re.search(r"alpine-?:?(\d+\.\d+)", f"{name}:{tag}")
    system = f"Alpine {found.group(1)}" if found else "Alpine"
    return Base(system, "linux-musl-arm64-openssl-3.0.x" if is_arm else "linux-musl")


def _enterprise(path: str, name: str, tag: str, is_arm: bool) -> Base | None:
    # The path tells for Red Hat's own, a word of the tag for those of others.
    named = _EL_PATH.search(path) or _EL_TAG.search(tag)
    plain = re.sub(r"(?<=[a-z])\d+(-.*)?$", "", name)
    if not named and plain not in _EL:
        return None
    if plain == "fedora":
        return _glibc("Fedora", "rhel", "3.0", is_arm, False)
    number = named.group(1) if named and named.group(1) else ""
    for text in (name, tag):
        found = re.search(r"(?:^|[a-z])-?(?:stream)?(\d+)", text)
        number = number or (found.group(1) if found else "")
    major = int(number or 9)
    openssl = "1.0" if major < 8 else "1.1" if major == 8 else "3.0"
    system = f"Enterprise Linux {major}"
    return _glibc(system, "rhel", openssl, is_arm, major < 8)


def _amazon(path: str, name: str, tag: str, is_arm: bool) -> Base | None:
    if name == "amazonlinux":
        is_first = tag == "1" or tag.startswith("2018")
        is_two = tag == "2" or tag.startswith("2.")
    elif "lambda/" in path:
        number = re.match(r"(?:\d+\.)?(\d+)", tag)
        oldest = 12 if name == "python" else 20
        is_first, is_two = False, bool(number and int(number.group(1)) < oldest)
    else:
        return None
    if is_first or is_two:
        system = "Amazon Linux 2" if is_two else "Amazon Linux 1"
        return _glibc(system, "rhel", "1.0", is_arm, True)
    return _glibc("Amazon Linux 2023", "rhel", "3.0", is_arm, False)


def _debian(path: str, name: str, tag: str, is_arm: bool) -> Base | None:
    words = re.split(r"[-.:_]", f"{name}:{tag}")
    for word in words:
        release = _UBUNTU.get(word)
        if release is None and name == "ubuntu" and word == words[1]:
            release = int(word) if word.isdecimal() else 24
        if release is not None:
            openssl = "1.0" if release < 18 else "1.1" if release < 22 else "3.0"
            system = f"Ubuntu {release}"
            return _glibc(system, "debian", openssl, is_arm, release < 20)
    number = 0
    for word in words:
        found = re.fullmatch(r"debian(\d+)", word)
        number = number or _DEBIAN.get(word, int(found.group(1)) if found else 0)
    if name == "debian" and not number:
        number = int(words[1]) if words[1].isdecimal() else 12
    if number:
        openssl = "1.1" if number < 12 else "3.0"
        return _glibc(f"Debian {number}", "debian", openssl, is_arm, number < 10)
    if name in _ON_DEBIAN or "slim" in words:
        return _glibc("Debian", "debian", "3.0", is_arm, False)
    if "cgr.dev/" in path or "wolfi" in name:
        return _glibc("Wolfi", "debian", "3.0", is_arm, False)
    return None
