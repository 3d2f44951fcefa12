"""Reads the arrays of an Arrow stream: the values that a batch's buffers mean.

Written from the format's page, by nobody's library: what it reads was made by the code
under test. https://arrow.apache.org/docs/format/CDataInterface.html
"""

from __future__ import annotations

import datetime
import decimal
import struct
from typing import TYPE_CHECKING, Any

from native.emulate.errors import CallMisbehaved
from native.emulate.memory import signed32

if TYPE_CHECKING:
    from native.emulate.cffi_module import CffiModule

__all__ = ["read_stream", "release"]

_EPOCH = datetime.datetime(1970, 1, 1)
_FIXED = {
    "s": ("<h", 2), "i": ("<i", 4), "l": ("<q", 8), "f": ("<f", 4), "g": ("<d", 8),
    "tdD": ("<i", 4), "ttu": ("<q", 8),
}  # fmt: skip


def read_stream(module: CffiModule, stream: Any) -> list[tuple[object, ...]]:
    """Return the rows of a stream, calling its functions in the guest.

    Args:
        module: the module it came from.
        stream: a `struct ArrowArrayStream *`; the caller releases it.
    """
    schema = module.new("struct ArrowSchema")
    array = module.new("struct ArrowArray")
    try:
        _ask(module, stream, "get_schema", schema)
        formats = [
            module.ffi.string(schema.children[i].format).decode()
            for i in range(schema.n_children)
        ]
        rows: list[tuple[object, ...]] = []
        while True:
            _ask(module, stream, "get_next", array)
            if not array.release:
                break
            columns = [
                _column(module, formats[i], array.children[i])
                for i in range(array.n_children)
            ]
            rows += zip(*columns)
            release(module, array)
        release(module, schema)
        return rows
    finally:
        module.end(schema, array)


def release(module: CffiModule, struct_pointer: Any) -> None:
    """Call a structure's release function."""
    function = int(module.ffi.cast("uintptr_t", struct_pointer.release))
    module.machine.call(function, int(module.ffi.cast("uintptr_t", struct_pointer)))
    if struct_pointer.release:
        raise CallMisbehaved("release", "did not mark what it released")


def _ask(module: CffiModule, stream: Any, name: str, out: Any) -> None:
    function = int(module.ffi.cast("uintptr_t", getattr(stream, name)))
    addresses = [int(module.ffi.cast("uintptr_t", item)) for item in (stream, out)]
    code = signed32(module.machine.call(function, *addresses))
    if code:
        raise CallMisbehaved(name, f"answered {code}")


def _column(module: CffiModule, form: str, array: Any) -> list[object]:
    count = array.length
    buffers = [
        int(module.ffi.cast("uintptr_t", array.buffers[i]))
        for i in range(array.n_buffers)
    ]
    memory = module.machine.memory
    valid = [True] * count
    if form == "n":
        return [None] * count
    if buffers[0]:
        bits = memory.read(buffers[0], (array.offset + count + 7) // 8)
        valid = [_bit(bits, array.offset + i) for i in range(count)]
    return [
        _value(module, form, buffers, array.offset + i) if valid[i] else None
        for i in range(count)
    ]


def _value(module: CffiModule, form: str, buffers: list[int], index: int) -> object:
    memory = module.machine.memory
    if form in "uz":
        start, end = struct.unpack("<ii", memory.read(buffers[1] + 4 * index, 8))
        data = memory.read(buffers[2] + start, end - start) if end > start else b""
        return data.decode() if form == "u" else data
    if form == "b":
        return _bit(memory.read(buffers[1] + index // 8, 1), index % 8)
    if form.startswith("d:"):
        scale = int(form.split(",")[1])
        data = memory.read(buffers[1] + 16 * index, 16)
        return decimal.Decimal(int.from_bytes(data, "little", signed=True)).scaleb(
            -scale
        )
    if form.startswith("tsu:"):
        micros = _number(memory.read(buffers[1] + 8 * index, 8), "<q")
        zone = datetime.timezone.utc if form == "tsu:UTC" else None
        return (_EPOCH + datetime.timedelta(microseconds=micros)).replace(tzinfo=zone)
    if form not in _FIXED:
        raise CallMisbehaved("get_schema", f"gave the unknown format `{form}`")
    code, size = _FIXED[form]
    number = _number(memory.read(buffers[1] + size * index, size), code)
    if form == "tdD":
        return (_EPOCH + datetime.timedelta(days=number)).date()
    if form == "ttu":
        return (_EPOCH + datetime.timedelta(microseconds=number)).time()
    return number


def _number(data: bytes, code: str) -> Any:
    return struct.unpack(code, data)[0]


def _bit(data: bytes, index: int) -> bool:
    return bool(data[index // 8] >> index % 8 & 1)
