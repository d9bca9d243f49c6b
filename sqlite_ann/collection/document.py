"""One document of a collection, and its metadata as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from ..names import check_unicode
from ..vectors import a_kind_of
from .filters import as_plain


@dataclass(frozen=True)
class Document:
    """What a collection holds under one key; of a search, with how near it is.

    `distance`: by the index's metric, smaller is nearer. `score`: larger is better; of a search by vectors, from 0 to 1.
    """

    key: str
    text: str | None = None
    meta: dict[str, Any] = field(default_factory=dict)
    embedding: NDArray[Any] | None = None
    distance: float | None = None
    score: float | None = None


def meta_as_json(key: str | None, meta: Mapping[str, Any] | None) -> str:
    """Metadata as they are stored; dates become ISO text. `key`: None, for changes to those of several documents.

    >>> meta_as_json("a", {"year": 1790, "tags": ["jig"]})
    '{"year":1790,"tags":["jig"]}'
    """
    if meta is None:
        return "{}"
    if not isinstance(meta, Mapping):
        raise TypeError(f"{_place(key)}: expected a mapping, got {type(meta).__name__}")
    try:
        text = json.dumps(dict(meta), ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_encoded)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{_place(key)}: expected what JSON can hold: {error}") from error
    if not text.isascii():
        check_unicode(_place(key), text)
    return text


def _place(key: str | None) -> str:
    return "changes" if key is None else f"metas, {key!r}"


def _encoded(value: Any) -> Any:
    plain = as_plain(value)
    if plain is value:
        raise TypeError(f"got {a_kind_of(value)}")
    return plain


def value_as(kind: str, value: Any) -> Any:
    """A value of the metadata, from what SQLite says it is, and gives.

    >>> value_as("true", 1), value_as("array", "[1,2]"), value_as("text", "[1]")
    (True, [1, 2], '[1]')
    """
    if kind in ("true", "false"):
        return kind == "true"
    return json.loads(value) if kind in ("array", "object") else value


def score_of(metric: str, distance: float, dim: int) -> float:
    """How near, from 0 to 1, larger is nearer.

    | metric             | score                                   |
    | ------------------ | --------------------------------------- |
    | cosine, angular    | (1 + the cosine) / 2                    |
    | l2, l1             | 1 / (1 + distance)                      |
    | dot                | 1 / (1 + exp(-product))                 |
    | hamming            | the share of bits that are the same     |
    | jaccard            | 1 - distance                            |

    >>> score_of("cosine", 0.0, 3), score_of("l2", 1.0, 3), score_of("hamming", 4.0, 16)
    (1.0, 0.5, 0.75)
    """
    if metric == "cosine":
        score = 1 - distance / 2
    elif metric == "angular":
        score = 1 - distance * distance / 4
    elif metric == "dot":
        score = 1 / (1 + math.exp(distance)) if distance < 700 else 0.0
    elif metric == "hamming":
        score = 1 - distance / dim
    elif metric == "jaccard":
        score = 1 - distance
    else:
        score = 1 / (1 + distance)
    return 0.0 if math.isnan(score) else min(1.0, max(0.0, score))
