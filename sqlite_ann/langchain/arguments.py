"""What LangChain's searches are given by name: a misspelt argument, which would change nothing, is refused."""

from __future__ import annotations

from typing import Any

OF_OTHERS = ["fetch_k", "lambda_mult", "score_threshold"]  # a retriever hands on all that it has, whichever its search


def refuse_unknown(more: dict[str, Any]) -> None:
    """
    >>> refuse_unknown({"fetch_k": 20, "kk": 3})
    Traceback (most recent call last):
    TypeError: search: expected k, filter, recall or fetch_k, lambda_mult, score_threshold, got kk
    """
    if unknown := ", ".join(sorted(more.keys() - OF_OTHERS)):
        raise TypeError(f"search: expected k, filter, recall or {', '.join(OF_OTHERS)}, got {unknown}")
