"""What a compiled file is made for, read from the file: a linker that refuses one seldom says that this is why.

made_for(path)       a processor, a system and, of Linux, its C library
foreign(path)        what is wrong with a library that this Python cannot load, as a sentence
cut_off(path)        the same of one that was copied in part
"""

from __future__ import annotations

import os
import sys

ELF = {
    (1, 3): "32-bit x86",
    (2, 62): "x86-64",
    (1, 40): "32-bit ARM",
    (2, 183): "64-bit ARM",
    (2, 243): "64-bit RISC-V",
}
MACH_O = {0x01000007: "x86-64", 0x0100000C: "64-bit ARM"}
PE = {0x014C: "32-bit x86", 0x8664: "x86-64", 0xAA64: "64-bit ARM"}


def made_for(path: str) -> str | None:
    """A processor and a system; None of a file that is none of these, or of several in one.

    >>> made_for(__file__) is None
    True
    """
    try:
        with open(path, "rb") as file:  # noqa: PTH123 (pathlib takes longer to import)
            data = file.read()
    except OSError:
        return None

    def number(at: int, size: int) -> int:
        return int.from_bytes(data[at : at + size], "little")

    if data[:4] == b"\x7fELF":
        has_musl = b"\0libc.so\0" in data or b"libc.musl-" in data  # of glibc it is libc.so.6
        processor, system = ELF.get((number(4, 1), number(18, 2))), f"Linux with {'musl' if has_musl else 'glibc'}"
    elif data[:4] == b"\xcf\xfa\xed\xfe":
        processor, system = MACH_O.get(number(4, 4)), "macOS"
    elif data[:2] == b"MZ":
        processor, system = PE.get(number(number(60, 4) + 4, 2)), "Windows"
    else:
        return None
    return f"{processor} on {system}" if processor else None


def foreign(path: str) -> str | None:
    """What is wrong, if the library is for another platform than the program that runs Python."""
    ours, its = made_for(sys.executable), made_for(path)
    if not ours or not its or ours == its:
        return None
    return (
        f"expected a compiled extension for {ours}, got one for {its} in {path}: "
        "install the wheel of this platform, or compile it from the sources"
    )


def cut_off(path: str) -> str | None:
    """What is wrong, if a file of Linux ends before its table of sections, which stands last: to load it ends the process.

    >>> cut_off(__file__) is None
    True
    """
    with open(path, "rb") as file:  # noqa: PTH123 (pathlib takes longer to import)
        head, size = file.read(64), os.fstat(file.fileno()).st_size

    def number(at: int, size: int) -> int:
        return int.from_bytes(head[at : at + size], "little")

    if head[:4] != b"\x7fELF":
        return None
    table, sections = (number(40, 8), 58) if head[4:5] == b"\2" else (number(32, 4), 46)
    expected = table + number(sections, 2) * number(sections + 2, 2)
    if size >= max(expected, 64):
        return None
    return f"expected a whole compiled extension, got the first {size:,} bytes of one in {path}: install it again"
