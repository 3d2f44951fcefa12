"""One target: a system that Engineroom is built for, as platforms.toml describes it.

A plain class instead of a dataclass: importing dataclasses costs more than the whole
loader may take. What the fields may hold is checked by `manifest`, once, before the
rows are generated; this class trusts its maker.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

__all__ = ["EVERY", "NATIVE", "Target", "version_numbers"]

# Names that select targets without being any target's name.
EVERY = "all"
NATIVE = ("native", "host")


class Target:
    """One row of platforms.toml; a value that never changes.

    Attributes:
        id: the name of the target, such as `linux-musl-arm64`.
        family: the name it shares with the same system on other CPUs.
        aliases: other names it answers to, mostly those that Prisma users know.
        os: `darwin` or `linux`.
        cpu: `x86_64` or `arm64`.
        libc: `libSystem`, `glibc` or `musl`.
        libc_floor: the oldest version of it that the engines run on; macOS's own
            version for `libSystem`.
        zig_triple: what the compiler is told to build for.
        zig_cpu: the oldest processor of that kind it may use.
        tls: where a backend that speaks TLS takes OpenSSL from.
        libraries: the libraries that an engine may need.
        tls_libraries: the libraries that an engine which speaks TLS may need besides.
        wheel_tag: the platform tag of the wheel that carries the engines.
        cibuildwheel: the build identifier of the same wheel in cibuildwheel.
        runner: the CI machine that runs it natively.
    """

    __slots__ = (
        "aliases",
        "cibuildwheel",
        "cpu",
        "family",
        "id",
        "libc",
        "libc_floor",
        "libraries",
        "os",
        "runner",
        "tls",
        "tls_libraries",
        "wheel_tag",
        "zig_cpu",
        "zig_triple",
    )

    id: str
    family: str
    aliases: tuple[str, ...]
    os: str
    cpu: str
    libc: str
    libc_floor: str
    zig_triple: str
    zig_cpu: str
    tls: str
    libraries: tuple[str, ...]
    tls_libraries: tuple[str, ...]
    wheel_tag: str
    cibuildwheel: str
    runner: str

    def __init__(
        self,
        *,
        id: str,  # noqa: A002 - the word everybody uses for it
        family: str,
        aliases: tuple[str, ...],
        os: str,
        cpu: str,
        libc: str,
        libc_floor: str,
        zig_triple: str,
        zig_cpu: str,
        tls: str,
        libraries: tuple[str, ...],
        tls_libraries: tuple[str, ...],
        wheel_tag: str,
        cibuildwheel: str,
        runner: str,
    ) -> None:
        given = locals()
        for name in self.__slots__:
            object.__setattr__(self, name, given[name])

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a Target never changes; tried to set `{name}`")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a Target never changes; tried to delete `{name}`")

    def fields(self) -> dict[str, object]:
        """Return the fields by name, in the order of platforms.toml."""
        return {name: getattr(self, name) for name in Target.__annotations__}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Target):
            return NotImplemented
        return self.fields() == other.fields()

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"<Target {self.id}>"

    def __reduce__(self) -> tuple[object, ...]:
        # Pickle would restore slots through __setattr__, which refuses.
        return _make, (self.fields(),)


def _make(fields: dict[str, object]) -> Target:
    return Target(**fields)  # type: ignore[arg-type] # the very fields of another one


def version_numbers(text: str) -> tuple[int, ...]:
    """Return the leading numbers of a version, for comparing: `2.36.9-x` is (2, 36, 9).

    Args:
        text: a version; what follows the first part that is no number is left out.
    """
    numbers: list[int] = []
    for part in text.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if digits:
            numbers.append(int(digits))
        if digits != part:
            break
    return tuple(numbers)
