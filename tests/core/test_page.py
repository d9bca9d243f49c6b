"""core/page.c: one page of FORMAT.md §6."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import arithmetic, oracle

LEAF, DIRECTORY = 0, 1  # levels
CORRUPT, NOMEM = 267, 7


class Page:
    """An AnnPage, and a list of what it should hold."""

    def __init__(self, core, level=LEAF, tree=0, capacity=256, length=64, seed=0):
        self.core, self.level, self.length = core, level, length
        self.rng = np.random.default_rng(seed)
        self.c = core.ffi.new("AnnPage *")
        self.entries = []
        assert core.lib.ann_page_init(self.c, level, tree, capacity, length) == 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.core.lib.ann_page_clear(self.c)

    def random_entry(self, id_):
        bits = self.rng.integers(0, 256, self.length // 8, np.uint8)
        shift, slope = np.abs(self.rng.standard_normal(2)).astype(np.float32) * [1, -1]
        point = self.rng.standard_normal(self.length).astype(np.float32)
        return (
            id_,
            bits.tobytes(),
            float(np.float32(shift)),
            float(np.float32(slope)),
            arithmetic.encode_centre(point, 0).record,
        )

    def _code(self, entry):
        code = self.core.ffi.new("AnnCode *")
        bits = self.core.ffi.new("uint8_t[]", entry[1])
        code.bits, code.shift, code.slope = bits, entry[2], entry[3]
        return code, bits, entry[4] if self.level else self.core.ffi.NULL

    def append(self, id_):
        entry = self.random_entry(id_)
        code, _bits, record = self._code(entry)
        rc = self.core.lib.ann_page_append(self.c, id_, code, record)
        if rc == 0:
            self.entries.append(entry)
        return rc

    def set(self, i, id_):
        entry = self.random_entry(id_)
        code, _bits, record = self._code(entry)
        self.core.lib.ann_page_set(self.c, i, id_, code, record)
        self.entries[i] = entry

    def remove(self, i):
        """Entry i goes, the last takes its place."""
        self.core.lib.ann_page_remove(self.c, i)
        last = self.entries.pop()
        if i < len(self.entries):
            self.entries[i] = last

    def sealed(self):
        self.core.lib.ann_page_seal(self.c)
        return bytes(self.core.ffi.buffer(self.c.bytes, self.core.lib.ann_page_size(self.c)))

    def is_as_expected(self):
        """Every getter, and every byte as the oracle reads it."""
        lib, ffi = self.core.lib, self.core.ffi
        assert self.c.n == len(self.entries)
        code, bits = ffi.new("AnnCode *"), ffi.new("uint8_t[]", self.length // 8)
        code.bits = bits
        for i, (id_, wanted, shift, slope, record) in enumerate(self.entries):
            lib.ann_page_code(self.c, i, code)
            assert (lib.ann_page_id(self.c, i), bytes(bits), code.shift, code.slope) == (id_, wanted, shift, slope)
            code.shift = code.slope = 99
            lib.ann_page_corrections(self.c, i, code)
            assert (code.shift, code.slope) == (shift, slope)
            if self.level:
                child = lib.ann_page_child_centre(self.c, i)
                assert bytes(ffi.buffer(child, 32 + self.length)) == record
        page = oracle.parse_page(1, self.sealed(), self.length)
        assert page.ids == [entry[0] for entry in self.entries]
        assert np.packbits(page.codes.bits, axis=1, bitorder="little").tobytes() == b"".join(e[1] for e in self.entries)
        assert [c.record for c in page.children] == [e[4] for e in self.entries if self.level]
        return page


def load(core, blob, length):
    """(code, page) of loading a copy of the blob that ends where it ends."""
    held = core.ffi.new("uint8_t[]", blob) if blob else core.ffi.NULL
    page = core.ffi.new("AnnPage *")
    rc = core.lib.ann_page_load(page, held, len(blob), length)
    return rc, page


def filled(core, n, **options):
    page = Page(core, **options)
    for id_ in range(1, n + 1):
        assert page.append(id_) == 0
    return page


@pytest.mark.slow
@pytest.mark.parametrize("level", [LEAF, DIRECTORY])
@given(steps=st.lists(st.tuples(st.sampled_from("aaars"), st.integers(0, 2**62)), max_size=120))
@settings(deadline=None, max_examples=60)
def test_appends_removals_and_changes_in_any_order(core_library, level, steps):
    with Page(core_library, level=level, length=32, capacity=64) as page:
        for kind, number in steps:
            if kind == "a" and len(page.entries) < 64:
                assert page.append(number) == 0
            elif kind == "r" and page.entries:
                page.remove(number % len(page.entries))
            elif kind == "s" and page.entries:
                page.set(number % len(page.entries), -number)
        page.is_as_expected()
        rc, loaded = load(core_library, page.sealed(), 32)
        assert rc == 0
        assert bytes(core_library.ffi.buffer(loaded.bytes, core_library.lib.ann_page_size(loaded))) == page.sealed()
        core_library.lib.ann_page_clear(loaded)


@pytest.mark.parametrize("level", [LEAF, DIRECTORY])
def test_loaded_page_is_the_one_that_was_sealed_and_goes_on_growing(core, level):
    with filled(core, 40, level=level, tree=3, length=96) as page:
        page.c.parent = 77
        rc, loaded = load(core, page.sealed(), 96)
        assert rc == 0
        for name in ("kind", "tree", "level", "n", "capacity", "length", "parent"):
            assert getattr(loaded, name) == getattr(page.c, name)
        core.lib.ann_page_clear(page.c)
        page.c = loaded
        for id_ in range(100, 140):
            assert page.append(id_) == 0
        for i in (0, 70, 35, 31, 32):
            page.remove(i)
        page.is_as_expected()


def test_emptied_page_is_as_if_it_were_new(core):
    with filled(core, 70) as page, Page(core) as new:
        while page.entries:
            page.remove(len(page.entries) // 2)
        assert page.sealed() == new.sealed()


def test_order_of_writing_leaves_no_trace_but_the_order_of_entries(core):
    """Bytes of removed entries do not stay behind."""
    with filled(core, 33) as one, filled(core, 33) as other:
        one.remove(32)
        for id_ in range(500, 540):
            other.append(id_)
        while len(other.entries) > 32:
            other.remove(len(other.entries) - 1)
        assert one.sealed() == other.sealed()


def test_find(core):
    with filled(core, 100) as page:
        for id_ in (1, 32, 33, 100):
            assert page.entries[core.lib.ann_page_find(page.c, id_)][0] == id_
        for id_ in (0, 101, -1, 2**62):
            assert core.lib.ann_page_find(page.c, id_) == -1


def test_which_entries_of_a_block_have_an_id(core):
    with filled(core, 70) as page:
        page.append(40)
        ids = [entry[0] for entry in page.entries]
        for id_ in (1, 32, 33, 40, 70, 71, -1):
            for block in range(3):
                wanted = sum(1 << i for i, other in enumerate(ids[32 * block :][:32]) if other == id_)
                assert core.lib.ann_page_with(page.c, block, id_) == wanted


@pytest.mark.parametrize("id_", [-(2**63), -1, 0, 2**63 - 1])
def test_ids_of_all_64_bits(core, id_):
    with Page(core) as page:
        page.append(id_)
        assert core.lib.ann_page_id(page.c, 0) == id_
        assert core.lib.ann_page_find(page.c, id_) == 0


@pytest.mark.parametrize("level", [LEAF, DIRECTORY])
def test_size_grows_by_blocks(core, level):
    kind = oracle.DIRECTORY if level else oracle.LEAF
    with Page(core, level=level, length=128) as page:
        for n in range(100):
            assert core.lib.ann_page_size(page.c) == oracle.page_size(128, kind, n)
            page.append(n)


# --- what is not a page -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("level", "n"), [(LEAF, 3), (LEAF, 0), (DIRECTORY, 2)])
def test_every_byte_altered_is_noticed(core, level, n):
    with filled(core, n, level=level, length=32, capacity=32) as page:
        blob = page.sealed()
    for at in range(len(blob)):
        for change in (0x01, 0x80, 0xFF):
            damaged = bytearray(blob)
            damaged[at] ^= change
            rc, loaded = load(core, bytes(damaged), 32)
            assert rc == CORRUPT, f"byte {at} ^ {change:#x}"
            assert loaded.bytes == core.ffi.NULL


@pytest.mark.parametrize("level", [LEAF, DIRECTORY])
def test_blobs_of_other_lengths_are_noticed(core, level):
    with filled(core, 40, level=level, length=32) as page:
        blob = page.sealed()
    lengths = {*range(0, 130), *range(0, len(blob), 32), *range(len(blob) - 70, len(blob))}
    for n in lengths:
        assert load(core, blob[:n], 32)[0] == CORRUPT
        # the checksum right for what is left
        if n >= 40 and n % 8 == 0:
            assert load(core, oracle.sealed(blob[:n]), 32)[0] == CORRUPT
    for more in (1, 31, 32, 64, 640):
        assert load(core, blob + bytes(more), 32)[0] == CORRUPT
    assert load(core, b"", 32)[0] == CORRUPT


@pytest.mark.parametrize(
    ("at", "values"),
    [
        (0, [b"ANNQ", b"annp", bytes(4)]),
        (4, [b"\0", b"\1", b"\3", b"\xff"]),
        (5, [b"\0", b"\2", b"\3", b"\xff"]),
        (6, [b"\x08", b"\xff"]),
        (7, [b"\1", b"\xff"]),
        (8, [struct.pack("<I", n) for n in (0, 2, 32, 65, 257, 2**31 - 1, 2**31, 2**32 - 1)]),
        (12, [struct.pack("<I", n) for n in (0, 1, 31, 33, 4097, 4128, 2**31, 2**32 - 1, 2**32 - 32)]),
        (16, [struct.pack("<I", n) for n in (0, 32, 96, 2**32 - 1)]),
        (24, [b"\0", b"\2", b"\x08"]),
        (25, [b"\1", b"\xff"]),
    ],
)
def test_headers_that_make_no_sense_are_noticed_though_the_checksum_is_right(core, at, values):
    with filled(core, 40, length=64, capacity=64) as page:
        blob = page.sealed()
    for value in values:
        damaged = oracle.sealed(blob[:at] + value + blob[at + len(value) :])
        assert load(core, damaged, 64)[0] == CORRUPT, value
        with pytest.raises(oracle.Damaged):
            oracle.parse_page(1, damaged, 64)


def test_reserved_bytes_are_reserved(core):
    """A later version may use them for what this one would misread."""
    with filled(core, 3) as page:
        blob = page.sealed()
    taken = []
    for at in [*range(26, 32), *range(40, 64)]:
        rc, loaded = load(core, oracle.sealed(blob[:at] + b"\1" + blob[at + 1 :]), 64)
        core.lib.ann_page_clear(loaded)
        if rc != CORRUPT:
            taken.append(at)
    assert taken == []


def test_page_of_another_length_is_noticed(core):
    with filled(core, 3, length=64) as page:
        for length in (32, 96, 64 + 2**32):
            rc, _ = load(core, page.sealed(), length)
            assert rc == CORRUPT


@given(st.binary(max_size=400))
@settings(deadline=None, max_examples=60)
def test_random_bytes_are_no_page(core_library, data):
    assert load(core_library, data, 32)[0] == CORRUPT
    if len(data) >= 40:
        head = b"ANNP\1\1\0\0" + data[8:]
        assert load(core_library, oracle.sealed(head[: len(head) // 8 * 8]), 32)[0] == CORRUPT


# --- memory -----------------------------------------------------------------------------------------------


def test_failed_allocations(core):
    core.fail_from(1)
    fresh = core.ffi.new("AnnPage *")
    assert core.lib.ann_page_init(fresh, 0, 0, 64, 64) == NOMEM
    core.lib.ann_page_clear(fresh)
    core.fail_from(0)
    with filled(core, 32) as page:
        before = page.sealed()
        core.fail_from(1)
        assert page.append(1000) == NOMEM
        assert page.sealed() == before
        assert load(core, before, 64)[0] == NOMEM
        core.fail_from(0)
        assert page.append(1000) == 0
        page.is_as_expected()


# --- estimates ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [LEAF, DIRECTORY])
@pytest.mark.parametrize("length", [32, 256, 800])
def test_estimates_are_bit_by_bit_what_the_manual_says(core, rng, level, length, backend):
    before = core.ffi.string(core.lib.ann_kernels().name)
    assert core.lib.ann_kernels_force(backend.encode()) == 1
    lookup, out = core.ffi.new("AnnLookup *"), np.zeros(32, np.float32)
    assert core.lib.ann_lookup_init(lookup, length) == 0
    with filled(core, 75, level=level, length=length) as page:
        codes = page.is_as_expected().codes
        for size in (1.0, 1e-10, 1e10):
            query = (rng.standard_normal(length) * size).astype(np.float32)
            core.lib.ann_lookup_fill(lookup, core.pointer(query))
            wanted = arithmetic.Lookup.of(query).estimate(codes, np.float32(2.5))
            for block in range(3):
                part = wanted[32 * block : 32 * block + 32]
                bound = np.partition(part, 5)[5]
                within = core.lib.ann_page_estimate(page.c, block, lookup, 2.5, bound, core.pointer(out))
                np.testing.assert_array_equal(out[: len(part)].view(np.uint32), part.view(np.uint32))
                assert [i for i in range(32) if within >> i & 1] == np.flatnonzero(part <= bound).tolist()
    core.lib.ann_lookup_clear(lookup)
    core.lib.ann_kernels_force(before)


@pytest.mark.parametrize("n", [16, 100, 256])
@pytest.mark.parametrize("share", [0, 0.1, 0.3, 0.7, 1])
def test_the_offset_tells_how_far_to_one_side_entries_lie(core, rng, n, share):
    """`share` of their mean squared distance is that of their mean."""
    length = 256
    to_one_side = rng.standard_normal(length)
    to_one_side *= np.sqrt(share / (to_one_side @ to_one_side))
    around = rng.standard_normal((n, length)) * np.sqrt((1 - share) / length)
    with Page(core, length=length) as page:
        for i, r in enumerate((around + to_one_side).astype(np.float32)):
            code = core.ffi.new("AnnCode *")
            bits = core.ffi.new("uint8_t[]", length // 8)
            code.bits = bits
            core.lib.ann_code_encode(1, core.ffi.from_buffer("float[]", r.tobytes()), [0.0] * length, length, code)
            assert core.lib.ann_page_append(page.c, i, code, core.ffi.NULL) == 0
        offset = core.lib.ann_page_offset(page.c)
        assert offset == pytest.approx(share, abs=0.05 + 0.6 * share**2)
        assert (offset > 0.05) == (share > 0)


def test_an_empty_page_has_no_offset(core):
    with Page(core) as page:
        assert core.lib.ann_page_offset(page.c) == 0


def test_a_page_with_a_wrong_checksum_can_be_salvaged_and_no_other(core):
    with filled(core, 40, length=64) as page:
        sound = page.sealed()
    header, salvaged = core.ffi.new("AnnPageHeader *"), core.ffi.new("AnnPage *")
    wrong_sum = sound[:32] + bytes(8) + sound[40:]
    for blob, whole, valid in ((sound, 1, True), (wrong_sum, 1, False), (oracle.sealed(sound[:-32]), 0, False)):
        fault = core.lib.ann_page_fault(blob, len(blob), header)
        assert (header.is_known, header.is_whole, fault == core.ffi.NULL) == (1, whole, valid)
        assert core.lib.ann_page_salvage(salvaged, blob, len(blob)) == (0 if whole else CORRUPT)
        if whole:
            assert [core.lib.ann_page_id(salvaged, i) for i in range(salvaged.n)] == list(range(1, 41))
            core.lib.ann_page_clear(salvaged)
    core.fail_from(1)
    assert core.lib.ann_page_salvage(salvaged, sound, len(sound)) == NOMEM
    assert salvaged.bytes == core.ffi.NULL
