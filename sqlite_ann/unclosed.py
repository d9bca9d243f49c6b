"""Async connections that nobody closes: the program ends all the same, with a ResourceWarning for each.

The thread of such a connection waits for calls for ever, and Python waits for the thread. Here a thread that Python does
not wait for waits for the main one, and for all others but these: by then nobody is left who could call.
"""

from __future__ import annotations

import threading
import traceback
import warnings
from weakref import WeakSet

import apsw

WORKER = "apsw background worker"  # how the name ends that apsw's controllers give to the thread of a connection

_made: WeakSet[apsw.AsyncConnection] = WeakSet()
_watcher: threading.Thread | None = None


def watch(connection: apsw.AsyncConnection) -> None:
    """End the thread of this connection, too, when all else has ended."""
    global _watcher
    _made.add(connection)
    if _watcher is None or not _watcher.is_alive():  # a process that was forked has none
        _watcher = threading.Thread(target=_end_all, name="sqlite_ann: end of async connections", daemon=True)
        _watcher.start()


def _end_all() -> None:
    main = threading.main_thread()
    main.join()
    while others := [
        t for t in threading.enumerate() if t is not main and not t.daemon and not t.name.endswith(WORKER)
    ]:
        others[0].join()
    open_ones = set(map(id, apsw.connections()))
    left = [connection for connection in _made if id(connection) in open_ones]
    for connection in left:
        try:
            warnings.warn(f"unclosed {connection!r}: await connection.aclose()", ResourceWarning, stacklevel=1)
        except ResourceWarning:  # where warnings are errors; who could catch it has ended
            traceback.print_exc()
    for connection in left:  # from here on the program may end at any moment
        connection.async_controller.close()  # type: ignore[no-untyped-call]
