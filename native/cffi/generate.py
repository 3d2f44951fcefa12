"""Writes the C of a cffi module from the contract.

The contract, native/abi/qe_abi.h, is read twice: here as cffi's definition and by the
C compiler through native/src/qe.h. The result depends on the contract, the prelude, the
module's name and cffi's version, and on nothing else; it is never committed.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Callable

__all__ = ["module_source"]


def module_source(
    definition: str, module_name: str, prelude: str = '#include "prelude.h"\n'
) -> str:
    """Return the C source of the module.

    Args:
        definition: the text of the contract.
        module_name: the name the module is imported by, such as `_qe_sqlite`.
        prelude: C that makes the same declarations known to the C compiler.

    Raises:
        cffi.CDefError, cffi.FFIError, pycparser errors: the contract has something
            that cffi does not understand.
    """
    import cffi  # type: ignore[import-untyped] # carries no types

    ffi = cffi.FFI()
    ffi.cdef(definition)
    ffi.set_source(module_name, prelude)
    write: Callable[[str], None] = ffi.emit_c_code
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"{module_name}.c")
        with contextlib.redirect_stdout(io.StringIO()):  # "generating ..."
            write(str(path))
        return path.read_text(encoding="utf-8")
