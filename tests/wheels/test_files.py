"""What is in a wheel: the library of its platform, with one exported symbol and no newer C library than its tag allows."""

from __future__ import annotations

import email
import re
import tarfile
import zipfile

from tests.wheels import binaries
from tests.wheels.conftest import WHEELS
from tests.wheels.machines import MACHINES

ENTRY = "sqlite3_sqliteann_init"
OF_MACH_O = {"__dso_handle", "_mh_dylib_header"}  # Zig's linker exports the beginning of every library by these

KINDS = {
    "manylinux2014_x86_64": "ELF64 X86_64",
    "manylinux2014_aarch64": "ELF64 AARCH64",
    "manylinux2014_armv7l": "ELF32 ARM hard float",
    "manylinux_2_31_riscv64": "ELF64 RISCV",
    "musllinux_1_2_x86_64": "ELF64 X86_64",
    "musllinux_1_2_aarch64": "ELF64 AARCH64",
    "macosx_10_13_x86_64": "Mach-O X86_64 from 10.13",
    "macosx_11_0_arm64": "Mach-O ARM64 from 11.0",
    "win_amd64": "PE AMD64",
    "win_arm64": "PE ARM64",
}
NEEDED = {  # libraries that are on every machine of the platform
    "manylinux": r"lib(c|m)\.so\.6|libpthread\.so\.0|ld-linux[\w-]*\.so\.\d",
    "musllinux": r"libc\.so",
    "macosx": r"/usr/lib/libSystem\.B\.dylib|sqlite_ann\.dylib",
    "win": r"KERNEL32\.dll|api-ms-win-crt-[\w-]+\.dll",
}
SUFFIXES = {"win": ".dll", "macosx": ".dylib"}


def test_there_is_a_wheel_of_each_platform_and_the_sources_and_nothing_else():
    files = {path.name for path in WHEELS.iterdir()}
    (source,) = [name for name in files if re.fullmatch(r"sqlite_ann-[\d.]+\.tar\.gz", name)]
    stem = source.removesuffix(".tar.gz")
    wheels = files - {source}
    assert all(re.fullmatch(rf"{re.escape(stem)}-py3-none-\w+(\.\w+)?\.whl", name) for name in wheels)
    tags = {name.split("-")[-1].removesuffix(".whl").split(".")[0] for name in wheels}
    assert tags == set(MACHINES)


def test_the_binary_is_of_the_platform_of_the_tag(tag, wheel, library, note):
    binary = binaries.read(library)
    note("size", f"{wheel.stat().st_size // 1000} kB")
    note("binary", binary.kind)
    assert binary.kind == KINDS[tag]
    system = tag.partition("_")[0].removesuffix("2014")
    assert library.name == f"sqlite_ann{SUFFIXES.get(system, '.so')}"
    assert [name for name in binary.needed if not re.fullmatch(NEEDED[system], name)] == []
    assert binary.is_stripped


def test_one_symbol_is_exported(tag, library, note):
    exported = set(binaries.read(library).exported) - (OF_MACH_O if tag.startswith("macosx") else set())
    note("exported", len(exported))
    assert exported == {ENTRY}


def test_no_newer_glibc_is_needed_than_the_tag_says(tag, wheel, library, note):
    newest = binaries.read(library).glibc
    allowed = re.search(r"manylinux_(\d+)_(\d+)", wheel.name)
    if not allowed:
        assert newest is None
        return
    assert newest
    note("glibc", ".".join(map(str, newest)))
    assert newest <= tuple(map(int, allowed.groups()))


def test_the_wheel_says_the_same_tags_as_its_name(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/WHEEL")]
        tags = email.message_from_bytes(archive.read(name)).get_all("Tag")
    *_, python, abi, platforms = wheel.stem.split("-")
    assert tags == [f"{python}-{abi}-{platform}" for platform in platforms.split(".")]


def test_wheels_differ_in_their_library_and_tags_alone(wheel):
    def others(path):
        with zipfile.ZipFile(path) as archive:
            return {
                info.filename: archive.read(info)
                for info in archive.infolist()
                if not re.search(r"\.(so|dylib|dll)$|/(WHEEL|RECORD)$", info.filename)
            }

    first = next(WHEELS.glob("*-manylinux2014_x86_64.*.whl"))
    assert {
        "sqlite_ann/__init__.py",
        "sqlite_ann/py.typed",
        "sqlite_ann/demo/examples/01-by-other-names.sql",
    } <= others(first).keys()
    assert others(wheel) == others(first)


def test_the_sources_have_what_building_needs_and_nothing_that_was_built():
    (source,) = WHEELS.glob("*.tar.gz")
    with tarfile.open(source) as tar:
        names = {name.partition("/")[2] for name in tar.getnames()}
    assert {"CMakeLists.txt", "c_ext/sql/init.c", "sqlite_ann/__init__.py", "LICENSE-MIT", ".ci/zig.cmake"} <= names
    assert [name for name in names if name.endswith((".so", ".dylib", ".dll", ".pyc"))] == []
