"""The order of SQLite's calls to a virtual table. The other tests hold SQLite to it where they run with assertions."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.clibrary import ROOT

BEGUN = ["CONNECT", "BEGIN"]


def follow(library, calls):
    """The sentence at the last of the calls, or None; those before are in order. `"SAVEPOINT 2"`: its number."""
    order, sentence = library.ffi.new("AnnOrder *"), library.ffi.new("char[]", 200)
    rc = 0
    for at, call in enumerate(calls):
        assert rc == 0, f"{calls[:at]}: {library.ffi.string(sentence).decode()}"
        name, _, n = call.partition(" ")
        rc = library.lib.ann_order_next(order, getattr(library.lib, f"ANN_ORDER_{name}"), int(n or 0), sentence)
    return library.ffi.string(sentence).decode() if rc else None


@pytest.mark.parametrize(
    "calls",
    [
        "CONNECT DISCONNECT",
        "CONNECT DESTROY",
        "CONNECT BEGIN UPDATE SYNC SYNCED COMMIT BEGIN ROLLBACK DISCONNECT",
        "CREATE UPDATE SYNC SYNCED COMMIT DISCONNECT",
        "CREATE ROLLBACK DISCONNECT",
        "CREATE DISCONNECT",
        "CREATE UPDATE DESTROY",
        "CONNECT BEGIN SYNC ROLLBACK DISCONNECT",
        "CONNECT BEGIN SYNC SYNCED UPDATE SYNC SYNCED COMMIT",
        "CONNECT BEGIN SYNC SYNCED ROLLBACK",
        "CONNECT BEGIN SAVEPOINT_2 RELEASE_2 RELEASE_1 ROLLBACK_TO_0 SYNC SYNCED COMMIT",
        "CONNECT BEGIN SAVEPOINT_0 SAVEPOINT_1 RELEASE_0 RELEASE_1 SAVEPOINT_1 ROLLBACK_TO_1 RELEASE_1 SYNC",
    ],
)
def test_orders_that_sqlite_uses(index_library, calls):
    names = [call.replace("ROLLBACK_TO_", "ROLLBACK_TO ") for call in calls.split()]
    names = [name.replace("SAVEPOINT_", "SAVEPOINT ").replace("RELEASE_", "RELEASE ") for name in names]
    assert follow(index_library, names) is None


@pytest.mark.parametrize(
    ("calls", "sentence"),
    [
        (["BEGIN"], "expected no xBegin now, as the table is new"),
        (["CONNECT", "UPDATE"], "expected no xUpdate now, as the table is outside of any transaction"),
        (["CONNECT", "SAVEPOINT 0"], "expected no xSavepoint now, as the table is outside of any transaction"),
        (["CREATE", "BEGIN"], "expected no xBegin now, as the table was made in this transaction"),
        ([*BEGUN, "BEGIN"], "expected no xBegin now, as the table is in a transaction"),
        ([*BEGUN, "COMMIT"], "expected no xCommit now, as the table is in a transaction"),
        ([*BEGUN, "SYNC", "COMMIT"], "expected no xCommit now, as the table is in a transaction"),
        ([*BEGUN, "DISCONNECT"], "expected no xDisconnect now, as the table is in a transaction"),
        ([*BEGUN, "SYNC", "SYNCED", "BEGIN"], "expected no xBegin now, as the table has been told to sync"),
        (
            [*BEGUN, "SYNC", "SYNCED", "SAVEPOINT 0", "COMMIT"],
            "expected no xCommit now, as the table is in a transaction",
        ),
        ([*BEGUN, "SYNC", "SYNCED", "COMMIT", "COMMIT"], "xCommit now, as the table is outside of any transaction"),
        ([*BEGUN, "RELEASE 0"], "expected xRelease of a savepoint below 0, got that of 0"),
        ([*BEGUN, "SAVEPOINT 1", "ROLLBACK_TO 2"], "expected xRollbackTo of a savepoint below 2, got that of 2"),
        ([*BEGUN, "SAVEPOINT 3", "ROLLBACK", "BEGIN", "RELEASE 0"], "xRelease of a savepoint below 0, got that of 0"),
    ],
)
def test_a_call_out_of_order_is_told(index_library, calls, sentence):
    assert sentence in follow(index_library, calls)


def test_a_call_out_of_order_ends_a_build_with_assertions():
    program = (
        "from tests.index.conftest import open_library; library = open_library()\n"
        "order = library.ffi.new('AnnOrder *')\n"
        "library.lib.ann_order_keep(order, b'song_ann', library.lib.ANN_ORDER_CONNECT, 0)\n"
        "print('connected', flush=True)\n"
        "library.lib.ann_order_keep(order, b'song_ann', library.lib.ANN_ORDER_COMMIT, 0)\n"
        "print('committed', flush=True)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert ended.returncode < 0
    assert ended.stdout == "connected\n"
    assert ended.stderr.startswith(
        "ann table song_ann: expected no xCommit now, as the table is outside of any transaction\n"
    )
