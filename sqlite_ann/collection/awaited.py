"""Methods of frameworks that await, over ours, which do not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import wraps
from typing import Any


def awaited(method: Callable[..., Any]) -> Callable[..., Any]:
    """The method run in a thread; a collection lets its callers wait for each other."""

    @wraps(method)
    async def in_a_thread(*arguments: Any, **named: Any) -> Any:
        return await asyncio.to_thread(method, *arguments, **named)

    return in_a_thread
