"""What differs between the two processors: registers and the calling convention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from unicorn import arm64_const, unicorn_const, x86_const

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ARM64", "CPUS", "X86_64", "Cpu"]


@dataclass(frozen=True)
class Cpu:
    """A processor, in unicorn's numbers.

    Attributes:
        name: our word for it.
        mode: architecture and mode.
        model: one that has what the target's baseline promises.
        integers: the registers of the first arguments.
        floats: those of the first floating-point arguments.
        result: where a function leaves its answer.
        counter: the program counter.
        stack: the stack pointer.
        frame: the frame pointer.
        link: where a call leaves the way back; None if on the stack.
        saved: what setjmp() has to keep.
        give_back: the instruction that ends a function.
        page_size: of memory.
    """

    name: str
    mode: tuple[int, int]
    model: int
    integers: tuple[int, ...]
    floats: tuple[int, ...]
    result: int
    counter: int
    stack: int
    frame: int
    link: int | None
    saved: tuple[int, ...]
    give_back: bytes
    page_size: int

    @property
    def variadic_on_stack(self) -> bool:
        """Whether arguments of `...` are never in registers, as Darwin has it."""
        return self.link is not None


def _arm64(names: Iterable[str]) -> tuple[int, ...]:
    return tuple(getattr(arm64_const, f"UC_ARM64_REG_{name}") for name in names)


def _x86(names: Iterable[str]) -> tuple[int, ...]:
    return tuple(getattr(x86_const, f"UC_X86_REG_{name}") for name in names)


_ARM64_SAVED = (
    [f"X{i}" for i in range(19, 31)] + ["SP"] + [f"D{i}" for i in range(8, 16)]
)

ARM64 = Cpu(
    name="arm64",
    mode=(unicorn_const.UC_ARCH_ARM64, unicorn_const.UC_MODE_ARM),
    model=arm64_const.UC_CPU_ARM64_MAX,
    integers=_arm64(f"X{i}" for i in range(8)),
    floats=_arm64(f"D{i}" for i in range(8)),
    result=arm64_const.UC_ARM64_REG_X0,
    counter=arm64_const.UC_ARM64_REG_PC,
    stack=arm64_const.UC_ARM64_REG_SP,
    frame=arm64_const.UC_ARM64_REG_X29,
    link=arm64_const.UC_ARM64_REG_X30,
    saved=_arm64(_ARM64_SAVED),
    give_back=bytes.fromhex("c0035fd6"),
    page_size=16384,
)

X86_64 = Cpu(
    name="x86_64",
    mode=(unicorn_const.UC_ARCH_X86, unicorn_const.UC_MODE_64),
    model=x86_const.UC_CPU_X86_HASWELL,
    integers=_x86(["RDI", "RSI", "RDX", "RCX", "R8", "R9"]),
    floats=_x86(f"XMM{i}" for i in range(8)),
    result=x86_const.UC_X86_REG_RAX,
    counter=x86_const.UC_X86_REG_RIP,
    stack=x86_const.UC_X86_REG_RSP,
    frame=x86_const.UC_X86_REG_RBP,
    link=None,
    saved=_x86(["RBX", "RBP", "R12", "R13", "R14", "R15", "RSP"]),
    give_back=b"\xc3",
    page_size=4096,
)

CPUS = {cpu.name: cpu for cpu in (ARM64, X86_64)}
