"""How compiled functions get at memory: what Python has no word for."""

from typing import Any, Final

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

# mypy: disable-error-code="no-untyped-call"

#: Arguments of LLVM's ``llvm.prefetch``: to read, to be kept in all caches, data.
_READ: Final = 0
_KEEP: Final = 3
_DATA: Final = 1


def _without_counts(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    if isinstance(kind, types.BaseTuple):
        kinds: Any = kind
        parts = cgutils.unpack_tuple(builder, value)
        bare = [
            _without_counts(context, builder, own, part)
            for own, part in zip(kinds, parts, strict=True)
        ]
        return context.make_tuple(builder, kind, bare)
    view = context.make_array(kind)(context, builder, value)
    view.meminfo = cgutils.get_null_value(view.meminfo.type)
    view.parent = cgutils.get_null_value(view.parent.type)
    return view._getvalue()  # noqa: SLF001 - it is how the compiler's own extensions do it


def _borrowed(typingctx: Any, arrays: Any) -> Any:
    """Return *arrays*, one or a tuple of them, without their reference counts.

    A compiled function counts the references of each array that it hands on, by instructions that
    lock the memory bus. Whoever calls it has to hold the arrays meanwhile, as Python does with its
    arguments.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _without_counts(context, builder, signature.return_type, arguments[0])

    return arrays(arrays), generate


def _prefetch(typingctx: Any, array: Any, index: Any) -> Any:
    """Have the processor fetch ``array[index]`` meanwhile; it changes no value.

    *array* is contiguous and of one dimension, and *index* lies within it.
    """
    signature = types.void(array, index)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array_type, index_type = signature.args
        values = context.make_array(array_type)(context, builder, arguments[0])
        place = context.cast(builder, arguments[1], index_type, types.intp)
        address = builder.bitcast(builder.gep(values.data, [place]), cgutils.voidptr_t)
        number = ir.IntType(32)
        function = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, number, number, number]),
            "llvm.prefetch.p0i8",
        )
        builder.call(function, [address, number(_READ), number(_KEEP), number(_DATA)])
        return context.get_dummy_value()

    return signature, generate


#: The compiler's own: they are called by compiled functions alone, without the first argument.
borrowed: Final[Any] = intrinsic(_borrowed)
prefetch: Final[Any] = intrinsic(_prefetch)
