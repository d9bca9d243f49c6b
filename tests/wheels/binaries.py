"""What stands in a compiled library, whichever system's: read by lief, and told in the same words for all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import lief

MANYLINUX_ARM = 0x400  # of the flags of a 32-bit ARM file: floating-point numbers are passed in registers


@dataclass(frozen=True)
class Binary:
    kind: str  # format and processor
    exported: list[str]
    needed: list[str]  # other libraries
    glibc: tuple[int, ...] | None  # the newest version of which a symbol is asked for
    is_stripped: bool


def read(path: Path) -> Binary:
    binary = lief.parse(path)
    if isinstance(binary, lief.ELF.Binary):
        return of_elf(binary)
    if isinstance(binary, lief.PE.Binary):
        return of_pe(binary)
    assert isinstance(binary, lief.MachO.Binary), f"{path} is no library"
    return of_mach_o(binary)


def of_elf(binary: lief.ELF.Binary) -> Binary:
    bits = "ELF64" if binary.header.identity_class == lief.ELF.Header.CLASS.ELF64 else "ELF32"
    kind = f"{bits} {binary.header.machine_type.name}"
    if binary.header.machine_type == lief.ELF.ARCH.ARM and binary.header.processor_flag & MANYLINUX_ARM:
        kind += " hard float"
    versions = [
        tuple(int(part) for part in aux.name.removeprefix("GLIBC_").split("."))
        for requirement in binary.symbols_version_requirement
        for aux in requirement.get_auxiliary_symbols()
        if aux.name.startswith("GLIBC_2")
    ]
    return Binary(
        kind,
        sorted(str(symbol.name) for symbol in binary.exported_symbols),
        sorted(str(library) for library in binary.libraries),
        max(versions, default=None),
        not any(section.name in (".symtab", ".debug_info") for section in binary.sections),
    )


def of_pe(binary: lief.PE.Binary) -> Binary:
    return Binary(
        f"PE {binary.header.machine.name}",
        sorted(str(entry.name) for entry in binary.get_export().entries),
        sorted(str(library) for library in binary.libraries),
        None,
        not binary.debug,
    )


def of_mach_o(binary: lief.MachO.Binary) -> Binary:
    oldest = binary.build_version.minos if binary.has_build_version else binary.version_min.version
    return Binary(
        f"Mach-O {binary.header.cpu_type.name} from {oldest[0]}.{oldest[1]}",
        sorted(str(symbol.name).removeprefix("_") for symbol in binary.exported_symbols),
        sorted(library.name for library in binary.libraries),
        None,
        not any(section.segment_name == "__DWARF" for section in binary.sections),
    )
