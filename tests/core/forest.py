"""Trees that core/tree.c grows and core/refine.c refines, as numpy."""

import numpy as np


class Forest:
    """Trees over points, as numpy."""

    def __init__(self, core, points, n_trees=1, leaf_sample=20, fanout=8, seed=0, passes=0, poll=None, threads=0):
        self.core, ffi = core, core.ffi
        self.points = np.ascontiguousarray(points, np.float32)
        n, length = self.points.shape
        start = ffi.cast("float *", self.points.ctypes.data)
        self.rows = ffi.new("const float *[]", [start + i * length for i in range(n)])
        self.trees = ffi.new("AnnTree[]", n_trees)
        self.rc = 0
        plan = ffi.new("AnnTreePlan *", {"seed": seed, "leaf_sample": leaf_sample, "fanout": fanout})
        self.poll = poll or ffi.NULL
        pool = ffi.new("AnnPool **")
        if threads:
            assert core.lib.ann_pool_new(threads, pool) == 0
        for plan.tree in range(n_trees):
            if self.rc == 0:
                tree = self.trees + plan.tree
                self.rc = core.lib.ann_tree_grow(self.rows, n, length, plan, pool[0], self.poll, tree)
        for _ in range(passes if self.rc == 0 else 0):
            self.rc = core.lib.ann_refine(self.trees, n_trees, self.rows, n, pool[0], self.poll)
            if self.rc:
                break
        core.lib.ann_pool_free(pool[0])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for i in range(len(self.trees)):
            self.core.lib.ann_tree_clear(self.trees + i)

    def level(self, tree, level):
        """(centres, spreads, parents)."""
        it, ffi = self.trees[tree].levels[level], self.core.ffi

        def array(pointer, count, kind):
            return np.frombuffer(ffi.buffer(pointer, 4 * count), kind).copy()

        length = self.trees[tree].length
        return (
            array(it.centres, it.n * length, np.float32).reshape(it.n, length),
            array(it.spreads, it.n, np.float32),
            array(it.parents, it.n, np.int32),
        )

    def bytes(self):
        return b"".join(
            part.tobytes()
            for t in range(len(self.trees))
            for level in range(self.trees[t].n_levels)
            for part in self.level(t, level)
        )

    def leaves(self):
        """The leaves' centres, of all trees."""
        return np.concatenate([self.level(t, 0)[0] for t in range(len(self.trees))])
