"""core/names.c: rows of a table by their names, and the names as a sentence lists them."""

FLOAT, BYTE = 1, 2


class Names:
    """A table of rows that are nothing but (name, alias, types)."""

    def __init__(self, core, *rows):
        self.core, ffi = core, core.ffi
        self._kept = [[ffi.new("char[]", text) if text else ffi.NULL for text in row[:2]] for row in rows]
        self.rows = ffi.new("AnnNamed[]", [(*kept, row[2]) for kept, row in zip(self._kept, rows, strict=True)])
        self.names = ffi.new("AnnNames *", {"rows": self.rows, "n": len(rows), "size": ffi.sizeof("AnnNamed")})

    def find(self, given, types=0):
        """Which row, by number."""
        found = self.core.lib.ann_names_find(self.names, types, self.core.ffi.NULL if given is None else given)
        if not found:
            return None
        return (
            int(self.core.ffi.cast("intptr_t", found)) - int(self.core.ffi.cast("intptr_t", self.rows))
        ) // self.core.ffi.sizeof("AnnNamed")

    def list(self, types=0, with_alias=1):
        out = self.core.ffi.new("char[]", b"x" * (self.core.lib.ANN_NAMES - 1))
        return self.core.ffi.string(self.core.lib.ann_names_list(self.names, types, with_alias, out))


def test_a_row_is_found_by_name_or_alias_in_any_case(core):
    names = Names(core, (b"l2", b"euclidean", FLOAT), (b"dot", None, FLOAT))
    for given in (b"l2", b"L2", b"euclidean", b"Euclidean"):
        assert names.find(given) == 0
    assert (names.find(b"DOT"), names.find(None)) == (1, 0)
    for given in (b"", b"l", b"l22", b"euclid", b"euclideanx", b"dot "):
        assert names.find(given) is None


def test_the_first_row_that_goes_with_the_type_is_meant(core):
    names = Names(
        core, (b"l2", None, FLOAT), (b"l2", None, BYTE), (b"hamming", None, BYTE), (b"dot", None, FLOAT | BYTE)
    )
    assert [names.find(b"l2", types) for types in (0, FLOAT, BYTE, FLOAT | BYTE)] == [0, 0, 1, 0]
    assert [names.find(None, types) for types in (0, FLOAT, BYTE)] == [0, 0, 1]
    assert names.find(b"hamming", FLOAT) is None


def test_names_are_listed_as_a_sentence_wants_them_each_once(core):
    names = Names(
        core, (b"l2", None, FLOAT), (b"l2", None, BYTE), (b"hamming", None, BYTE), (b"dot", b"ip", FLOAT | BYTE)
    )
    assert names.list() == b"l2, hamming or dot (ip)"
    assert names.list(FLOAT) == b"l2 or dot (ip)"
    assert names.list(BYTE, 0) == b"l2, hamming or dot"
    assert Names(core, (b"a", None, FLOAT)).list() == b"a"
    assert names.list(4) == b""


def test_a_list_that_is_too_long_ends_where_its_room_does(core):
    rows = [(b"%d" % i * 50, None, FLOAT) for i in range(9)]
    assert len(Names(core, *rows).list()) == core.lib.ANN_NAMES - 1
