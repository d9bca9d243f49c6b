"""Columns of numbers and of vectors from any library that speaks Arrow, none of which is needed for it.

    read(given)     an array, a list of rows where some are missing or of another length, or None: no such column

Arrow's C data interface is three C structs, handed over in capsules: a schema, an array, and a stream of arrays. What
is read here are columns of numbers, of lists and of fixed-size lists of numbers, and tables of one such column. All else,
and what a library cannot export, is left to numpy. Everything is copied, and released at once.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

NUMBERS = {"c": "i1", "C": "u1", "s": "i2", "S": "u2", "i": "i4", "I": "u4", "l": "i8", "L": "u8"}
NUMBERS |= {"e": "f2", "f": "f4", "g": "f8"}
OFFSETS = {"+l": "i4", "+L": "i8"}


class Schema(ctypes.Structure):
    pass


class Array(ctypes.Structure):
    pass


class Stream(ctypes.Structure):
    pass


# Names, order and types of the fields are Arrow's; a struct that is released has no `release`.
Schema._fields_ = [
    ("format", ctypes.c_char_p),
    ("name", ctypes.c_char_p),
    ("metadata", ctypes.c_void_p),
    ("flags", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("children", ctypes.POINTER(ctypes.POINTER(Schema))),
    ("dictionary", ctypes.c_void_p),
    ("release", ctypes.CFUNCTYPE(None, ctypes.POINTER(Schema))),
    ("private_data", ctypes.c_void_p),
]
Array._fields_ = [
    ("length", ctypes.c_int64),
    ("null_count", ctypes.c_int64),
    ("offset", ctypes.c_int64),
    ("n_buffers", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.POINTER(ctypes.POINTER(Array))),
    ("dictionary", ctypes.c_void_p),
    ("release", ctypes.CFUNCTYPE(None, ctypes.POINTER(Array))),
    ("private_data", ctypes.c_void_p),
]
Stream._fields_ = [
    ("get_schema", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(Stream), ctypes.POINTER(Schema))),
    ("get_next", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(Stream), ctypes.POINTER(Array))),
    ("get_last_error", ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.POINTER(Stream))),
    ("release", ctypes.CFUNCTYPE(None, ctypes.POINTER(Stream))),
    ("private_data", ctypes.c_void_p),
]

_pointer_in = ctypes.pythonapi.PyCapsule_GetPointer
_pointer_in.restype, _pointer_in.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]

Column = NDArray[Any] | list[Any]


def read(given: Any) -> Column | None:
    """The numbers, shape (n,), or the vectors, shape (n, components).

    >>> read([1, 2]) is None
    True
    """
    if not (hasattr(given, "__arrow_c_stream__") or hasattr(given, "__arrow_c_array__")):
        return None
    parts: list[Column] = []
    try:
        for schema, array in chunks(given):
            part = column(schema, array, 0, array.length)
            if part is None:
                return None
            parts.append(part)
    except (ImportError, NotImplementedError, TypeError, ValueError):  # pandas needs pyarrow to export what it has
        return None
    arrays = [part for part in parts if isinstance(part, np.ndarray) and len(part)]
    if len({array.shape[1:] for array in arrays}) <= 1 and not any(isinstance(part, list) for part in parts):
        return np.concatenate(arrays) if arrays else np.empty(0)
    return [row for part in parts for row in part]


def chunks(given: Any) -> Iterator[tuple[Schema, Array]]:
    """Each array of what is given, alive until the next is asked for."""
    if hasattr(given, "__arrow_c_stream__"):
        capsule = given.__arrow_c_stream__()
        stream = Stream.from_address(_pointer_in(capsule, b"arrow_array_stream"))
        schema = Schema()
        check(stream, stream.get_schema(stream, schema))
        with released(schema):
            while True:
                array = Array()
                check(stream, stream.get_next(stream, array))
                if not array.release:
                    return
                with released(array):
                    yield schema, array
    else:
        capsules = given.__arrow_c_array__()  # they release what they hold
        yield (
            Schema.from_address(_pointer_in(capsules[0], b"arrow_schema")),
            Array.from_address(_pointer_in(capsules[1], b"arrow_array")),
        )


def check(stream: Stream, code: int) -> None:
    if code:
        raise OSError(code, (stream.get_last_error(stream) or b"the stream of Arrow arrays failed").decode())


@contextmanager
def released(struct: Any) -> Iterator[None]:
    try:
        yield
    finally:
        struct.release(struct)


def column(schema: Schema, array: Array, start: int, n: int) -> Column | None:
    """Rows start to start + n of an array; a list, None for what is missing, where they make no array."""
    kind, first = schema.format.decode(), array.offset + start
    if schema.dictionary:
        return None
    if kind in NUMBERS:
        numbers = buffer(array, 1, NUMBERS[kind], first, n)
        missing = nulls(array, first, n)
        return numbers if missing is None else with_gaps(numbers, missing)
    if kind == "+s":
        only = column(schema.children[0][0], array.children[0][0], first, n) if schema.n_children == 1 else None
        missing = nulls(array, first, n)
        return only if only is None or missing is None else with_gaps(only, missing)
    if kind in OFFSETS:
        bounds = buffer(array, 1, OFFSETS[kind], first, n + 1) if n else np.zeros(1, OFFSETS[kind])
    elif kind.startswith("+w:"):
        bounds = (first + np.arange(n + 1)) * int(kind[3:])
    else:
        return None
    low, high = int(bounds[0]), int(bounds[-1])
    values = column(schema.children[0][0], array.children[0][0], low, high - low)
    if values is None or (isinstance(values, np.ndarray) and values.ndim != 1):
        return None
    missing, lengths = nulls(array, first, n), np.diff(bounds)
    if isinstance(values, np.ndarray) and missing is None and n and (lengths == lengths[0]).all():
        return values.reshape(n, int(lengths[0]))
    rows = [values[a - low : b - low] for a, b in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)]
    return rows if missing is None else with_gaps(rows, missing)


def with_gaps(rows: Column, missing: NDArray[np.bool_]) -> list[Any]:
    rows = rows.tolist() if isinstance(rows, np.ndarray) else rows
    return [None if gone else row for row, gone in zip(rows, missing.tolist(), strict=True)]


def buffer(array: Array, i: int, kind: str, first: int, n: int) -> NDArray[Any]:
    dtype = np.dtype(kind)
    if n == 0:
        return np.empty(0, dtype)
    address = array.buffers[i] + first * dtype.itemsize
    return np.frombuffer(ctypes.string_at(address, n * dtype.itemsize), dtype)


def nulls(array: Array, first: int, n: int) -> NDArray[np.bool_] | None:
    """Which rows are missing; None where none is."""
    if array.null_count == 0 or not array.buffers[0] or n == 0:
        return None
    low = first // 8
    bits = np.unpackbits(buffer(array, 0, "u1", low, -(-(first + n) // 8) - low), bitorder="little")
    missing = bits[first - 8 * low :][:n] == 0
    return missing if missing.any() else None
