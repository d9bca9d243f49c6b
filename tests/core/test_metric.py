"""core/metric.c: distances between a query and rows of every type, against numpy in double, and points for them."""

import numpy as np
import pytest

from tests import arithmetic

METRICS = ["cosine", "angular", "l2", "l1", "dot"]
NUMBERS = ["float32", "float16", "bfloat16", "int8"]


def rows_of(rng, name, n, d):
    """Rows as they are stored, and as numbers."""
    if name == "int8":
        rows = rng.integers(-128, 128, (n, d)).astype(np.int8)
        return rows, rows.astype(np.float64)
    if name == "bfloat16":
        rows = (rng.standard_normal((n, d)).astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
        return rows, (rows.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    if name == "bit":
        bits = rng.integers(0, 2, (n, d))
        return np.packbits(bits, axis=1, bitorder="little"), bits
    rows = rng.standard_normal((n, d)).astype(name)
    return rows, rows.astype(np.float64)


class Space:
    def __init__(self, core, name, metric, d):
        element = core.lib.ann_element_named(name.encode())
        self.core, self.lib, self.space = core, core.lib, core.ffi.new("AnnSpace *")
        core.lib.ann_space_init(self.space, element, core.lib.ann_metric_named(element, metric.encode()), d)

    def query(self, row):
        out = np.zeros(self.space.query_size, np.uint8)
        self.lib.ann_space_as_query(
            self.space, self.core.pointer(row, "uint8_t *"), self.core.pointer(out, "uint8_t *")
        )
        return out

    def from_floats(self, q):
        out, message, blob = np.zeros(self.space.query_size, np.uint8), self.core.ffi.new("char[200]"), q.tobytes()
        rc = self.lib.ann_query_from_blob(
            self.space.element, blob, len(blob), len(q), self.core.pointer(out, "uint8_t *"), message
        )
        assert rc == 0
        return out

    def distances(self, query, rows):
        origin = self.core.ffi.new("AnnOrigin *")
        self.lib.ann_origin_init(origin, self.space, self.core.pointer(query, "uint8_t *"))
        out = []
        for row in rows:
            pointer = self.core.pointer(np.ascontiguousarray(row), "uint8_t *")
            out.append(self.lib.ann_origin_distance(origin, pointer))
            norm = self.lib.ann_space_norm(self.space, pointer)
            assert self.lib.ann_origin_distance_of(origin, pointer, norm) == out[-1]
        return np.array(out)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("name", NUMBERS)
def test_a_query_of_floats_is_compared_as_it_is(core, rng, name, metric):
    for d in (1, 16, 37, 200):
        space, (rows, numbers) = Space(core, name, metric, d), rows_of(rng, name, 30, d)
        q = rng.standard_normal(d).astype(np.float32)
        got = space.distances(space.from_floats(q), rows)
        wanted = arithmetic.distances(metric, numbers, q)
        # the square root of what a cosine errs by is more of it
        error = 1e-3 if metric == "angular" else 1e-5 * np.abs(numbers).max() * np.sqrt(d)
        assert got == pytest.approx(wanted, rel=1e-5, abs=error)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_distances_are_those_of_the_widened_rows_bit_by_bit(core, rng, name, metric):
    d = 100
    rows, numbers = rows_of(rng, name, 30, d)
    q = rng.standard_normal(d).astype(np.float32)
    narrow, wide = Space(core, name, metric, d), Space(core, "float32", metric, d)
    got = narrow.distances(narrow.from_floats(q), rows)
    assert got.tolist() == wide.distances(wide.from_floats(q), numbers.astype(np.float32)).tolist()


@pytest.mark.parametrize("name", NUMBERS)
def test_a_row_is_at_0_from_itself(core, rng, name):
    for d in (1, 3, 16, 50, 384):
        rows, _ = rows_of(rng, name, 5, d)
        for metric in ("cosine", "angular", "l2", "l1"):
            space = Space(core, name, metric, d)
            for row in rows:
                if row.any():
                    assert space.distances(space.query(row), [row])[0] == 0


def test_among_whole_numbers_distances_are_exact(core, rng):
    for d in (1, 31, 384, 4096):
        rows, numbers = rows_of(rng, "int8", 20, d)
        rows[1], numbers[1] = -128, -128
        rows[2], numbers[2] = 127, 127
        for i in range(3):
            for metric in METRICS:
                space = Space(core, "int8", metric, d)
                got = space.distances(space.query(rows[i]), rows)
                product = numbers @ numbers[i]
                squares = ((numbers - numbers[i]) ** 2).sum(axis=1)
                if metric == "l2":
                    assert got.tolist() == np.sqrt(squares).tolist()
                if metric == "l1":
                    assert got.tolist() == np.abs(numbers - numbers[i]).sum(axis=1).tolist()
                if metric == "dot":
                    assert got.tolist() == (0.0 - product).tolist()
                # the same by floats that are whole
                assert got.tolist() == space.distances(space.from_floats(numbers[i].astype(np.float32)), rows).tolist()


def test_queries_beyond_the_range_of_sums_are_measured_all_the_same(core, rng):
    for name in NUMBERS:
        rows, numbers = rows_of(rng, name, 10, 20)
        for size in (1e-38, 1e-30, 1e18, 1e36):
            q = (rng.standard_normal(20) * size).astype(np.float32)
            for metric in METRICS:
                space = Space(core, name, metric, 20)
                wanted = arithmetic.distances(metric, numbers, q)
                assert space.distances(space.from_floats(q), rows) == pytest.approx(
                    wanted, rel=1e-4, abs=max(size * 1e-3, 1e-3)
                )


def test_hamming_is_how_many_bits_differ(core, rng):
    for d in (1, 7, 8, 9, 64, 100, 1000):
        space, (rows, bits) = Space(core, "bit", "hamming", d), rows_of(rng, "bit", 20, d)
        assert space.distances(space.query(rows[0]), rows).tolist() == (bits != bits[0]).sum(axis=1).tolist()


def test_jaccard_is_what_two_sets_do_not_share_of_both(core, rng):
    for d in (1, 7, 8, 9, 64, 100, 1000):
        space, (rows, bits) = Space(core, "bit", "jaccard", d), rows_of(rng, "bit", 20, d)
        rows[3], bits[3] = 0, 0
        for i in (0, 3):
            both, either = (bits & bits[i]).sum(axis=1), (bits | bits[i]).sum(axis=1)
            wanted = np.where(either == 0, 0.0, 1 - both / np.maximum(either, 1))
            assert space.distances(space.query(rows[i]), rows).tolist() == wanted.tolist()


@pytest.mark.parametrize("name", [*NUMBERS, "bit"])
def test_points_of_a_query_and_of_the_row_it_is_made_of_are_the_same(core, rng, name):
    for metric in METRICS if name != "bit" else ["hamming", "jaccard"]:
        d = 50
        space, (rows, numbers) = Space(core, name, metric, d), rows_of(rng, name, 8, d)
        rotation, lib = core.ffi.new("AnnRotation *"), core.lib
        assert lib.ann_rotation_init(rotation, d, 7) == 0
        scratch = np.zeros(d, np.float32)
        points = np.zeros((2, 8, rotation.length), np.float32)
        for i in range(8):
            arguments = (space.space, rotation)
            row, query = (core.pointer(x, "uint8_t *") for x in (rows[i].copy(), space.query(rows[i])))
            lib.ann_space_point(*arguments, row, core.pointer(scratch), core.pointer(points[0, i]))
            lib.ann_space_query_point(*arguments, query, core.pointer(scratch), core.pointer(points[1, i]))
        lib.ann_rotation_clear(rotation)
        np.testing.assert_array_equal(points[0], points[1])
        if metric == "hamming":
            between = ((points[0].astype(np.float64) - points[0][0]) ** 2).sum(axis=1)
            assert between == pytest.approx(4.0 * (numbers != numbers[0]).sum(axis=1), abs=1e-3)
