"""core/rotation.c: a seeded orthonormal change of axes, equal on every machine."""

import hashlib

import numpy as np
import pytest

from tests import arithmetic

LENGTHS = {1: 256, 32: 256, 64: 256, 128: 256, 129: 256, 256: 256, 257: 288, 300: 320, 384: 384, 784: 800, 65536: 65536}


class Rotation:
    def __init__(self, core, d, seed):
        self.core, self.d = core, d
        self.c = core.ffi.new("AnnRotation *")
        assert core.lib.ann_rotation_init(self.c, d, seed) == 0
        self.length = self.c.length

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.core.lib.ann_rotation_clear(self.c)

    def __call__(self, vectors):
        out = np.zeros((len(vectors), self.length), np.float32)
        for row, vector in zip(out, np.ascontiguousarray(vectors, np.float32), strict=True):
            self.core.lib.ann_rotation_apply(self.c, self.core.pointer(vector), self.core.pointer(row))
        return out


def test_lengths(core):
    assert {d: core.lib.ann_rotation_length(d) for d in LENGTHS} == LENGTHS
    for d in range(1, 1100):
        assert core.lib.ann_rotation_length(d) == arithmetic.rotated_length(d) >= d


@pytest.mark.parametrize("d", [1, 2, 31, 32, 64, 100, 256, 300, 384, 784])
@pytest.mark.parametrize("seed", [0, 1, 2**63 - 1])
def test_is_bit_by_bit_what_the_manual_says(core, rng, d, seed):
    vectors = rng.standard_normal((5, d)).astype(np.float32)
    with Rotation(core, d, seed) as rotation:
        np.testing.assert_array_equal(
            rotation(vectors).view(np.uint32), arithmetic.Rotation(d, seed)(vectors).view(np.uint32)
        )


@pytest.mark.parametrize("d", [1, 3, 64, 100, 300, 784])
def test_is_orthonormal(core, d):
    with Rotation(core, d, 5) as rotation:
        axes = rotation(np.eye(d)).astype(np.float64)
    assert np.abs(axes @ axes.T - np.eye(d)).max() < 1e-5


@pytest.mark.parametrize("d", [64, 300])
def test_no_axis_stays_special(core, d):
    """What lay on one axis is spread over all: no component has much more than its share."""
    with Rotation(core, d, 0) as rotation:
        axes = rotation(np.eye(d)[:: d // 32])
        assert np.abs(axes).max() < 6 / np.sqrt(rotation.length)
        assert np.abs((axes**2).sum(axis=1) - 1).max() < 1e-5


def test_seeds_give_unrelated_rotations(core):
    vector = np.ones((1, 100), np.float32)
    turned = []
    for seed in range(5):
        with Rotation(core, 100, seed) as rotation:
            turned.append(rotation(vector)[0] / 10)
    cosines = np.array(turned) @ np.array(turned).T
    assert np.abs(cosines - np.eye(5)).max() < 0.35


def test_golden(core):
    """The same on every machine and for ever: it is part of the format."""
    vectors = (np.arange(700, dtype=np.float32).reshape(7, 100) - 350) / 64
    with Rotation(core, 100, 42) as rotation:
        digest = hashlib.sha256(rotation(vectors).tobytes()).hexdigest()
    assert digest[:16] == "5192375dffbd98c0"


def test_generator_is_splitmix64():
    """Published values for the seed 1234567, and what keys do to it."""
    stream = arithmetic.splitmix(1234567)
    assert [next(stream) for _ in range(5)] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


def test_signs_are_drawn_from_the_keyed_generator(core):
    """core/rng.h has no symbol of its own: the signs show it at work."""
    for seed in (0, 7, 2**64 - 1):
        with Rotation(core, 40, seed) as rotation:
            stream = arithmetic.keyed(seed, 0x726F74, 0)
            signs = [rotation.c.signs[i] for i in range(4 * rotation.length)]
        assert signs == [1 if next(stream) >> 63 else -1 for _ in signs]


def test_failed_allocation(core):
    core.fail_from(1)
    rotation = core.ffi.new("AnnRotation *")
    assert core.lib.ann_rotation_init(rotation, 64, 0) == 7
    core.lib.ann_rotation_clear(rotation)
