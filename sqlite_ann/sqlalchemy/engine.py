"""Loads the extension into the connections of an engine."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, event

from ..errors import Error
from ..extension import load
from ..vectors import kind_of


def listen(engine: Engine) -> None:
    """Let every connection that the engine opens from now on load the extension.

    >>> from sqlalchemy import create_engine, text
    >>> import pysqlite3
    >>> engine = create_engine("sqlite://", module=pysqlite3)
    >>> listen(engine)
    >>> with engine.connect() as db:
    ...     db.scalar(text("SELECT ann_distance('[0,3]', '[4,0]', 'l2')"))
    5.0
    >>> engine.dispose()
    """
    database = getattr(getattr(engine, "dialect", None), "name", "sqlite")
    if database != "sqlite":
        raise ValueError(f"listen: expected an engine of SQLite, got one of {database}")
    if not isinstance(engine, Engine):
        raise TypeError(f"listen: expected an engine of SQLite, got {kind_of(engine)}")
    event.listen(engine, "connect", _connected)


def _connected(connection: Any, _: Any) -> None:
    if not hasattr(connection, "enable_load_extension"):
        raise Error(
            "the driver of this engine was built without loading of extensions: expected "
            "create_engine(url, module=pysqlite3), which pip install 'sqlite_ann[sqlalchemy]' brings"
        )
    load(connection)
