"""Work shared by threads: each takes the next position of one list, whoever is free.

`claim(counter)` adds 1 to ``counter[0]`` (int64) and returns what it was, in one indivisible step of the processor. With
the JIT off a lock does the same.
"""

# mypy: ignore-errors
from __future__ import annotations

from threading import Lock

from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic


@intrinsic
def _claim_jit(typing, counter):
    if not (isinstance(counter, types.Array) and counter.dtype == types.int64):
        return None

    def codegen(context, builder, signature, args):
        array = cgutils.create_struct_proxy(signature.args[0])(context, builder, args[0])
        return builder.atomic_rmw("add", array.data, ir.Constant(ir.IntType(64), 1), "monotonic")

    return types.int64(counter), codegen


if config.DISABLE_JIT:
    _LOCK = Lock()

    def claim(counter):
        with _LOCK:
            place = counter[0]
            counter[0] += 1
        return place
else:
    claim = _claim_jit
