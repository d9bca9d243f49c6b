"""LlamaIndex's filters, all fourteen operators, as conditions of a Collection."""

from __future__ import annotations

from llama_index.core.vector_stores.types import FilterCondition, MetadataFilter, MetadataFilters, VectorStoreQuery

from ..collection import KEY, Compare, Condition, Every, Not, Some
from ..collection.filters import DEEPEST, TOO_DEEP, Field
from ..vectors import kind_of

SAME = {"text_match": "contains", "text_match_insensitive": "icontains", "nin": "not in"}


def wanted(query: VectorStoreQuery) -> Condition:
    """The filters, and the ids where a query names some; a retriever over a whole store names an empty list of them."""
    named: list[tuple[Field, list[str] | None]] = [(KEY, query.node_ids), ("ref_doc_id", query.doc_ids)]
    return Every((condition_of(query.filters), *(Compare(field, "in", ids) for field, ids in named if ids)))


def condition_of(filters: MetadataFilters | MetadataFilter | None, depth: int = 0) -> Condition:
    """The condition that filters stand for."""
    if filters is None:
        return Every(())
    if depth > DEEPEST:
        raise ValueError(TOO_DEEP)
    if isinstance(filters, MetadataFilters):
        parts = tuple(condition_of(part, depth + 1) for part in filters.filters)
        if filters.condition == FilterCondition.NOT:
            return Not(Some(parts))
        return Some(parts) if filters.condition == FilterCondition.OR and parts else Every(parts)
    if not isinstance(filters, MetadataFilter):
        raise TypeError(f"filters: expected LlamaIndex's MetadataFilters, got {kind_of(filters)}")
    operator = filters.operator.value
    if operator == "is_empty":
        return Compare(filters.key, "empty", True)
    if operator in ("any", "all"):
        values = filters.value if isinstance(filters.value, list) else [filters.value]
        parts = tuple(Compare(filters.key, "contains", value) for value in values)
        return Some(parts) if operator == "any" else Every(parts)
    return Compare(filters.key, SAME.get(operator, operator), filters.value)
