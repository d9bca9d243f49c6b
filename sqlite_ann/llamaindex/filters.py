"""LlamaIndex's filters, all fourteen operators, as conditions of a Collection."""

from __future__ import annotations

from llama_index.core.vector_stores.types import FilterCondition, MetadataFilter, MetadataFilters, VectorStoreQuery

from ..collection import KEY, Compare, Condition, Every, Not, Some
from ..collection.filters import Field

SAME = {"text_match": "contains", "text_match_insensitive": "icontains", "nin": "not in"}


def wanted(query: VectorStoreQuery) -> Condition:
    """The filters, and the ids where a query names some; a retriever over a whole store names an empty list of them."""
    named: list[tuple[Field, list[str] | None]] = [(KEY, query.node_ids), ("ref_doc_id", query.doc_ids)]
    return Every((condition_of(query.filters), *(Compare(field, "in", ids) for field, ids in named if ids)))


def condition_of(filters: MetadataFilters | MetadataFilter | None) -> Condition:
    """The condition that filters stand for."""
    if filters is None:
        return Every(())
    if isinstance(filters, MetadataFilters):
        parts = tuple(map(condition_of, filters.filters))
        if filters.condition == FilterCondition.NOT:
            return Not(Some(parts))
        return Some(parts) if filters.condition == FilterCondition.OR and parts else Every(parts)
    operator = filters.operator.value
    if operator == "is_empty":
        return Compare(filters.key, "empty", True)
    if operator in ("any", "all"):
        values = filters.value if isinstance(filters.value, list) else [filters.value]
        parts = tuple(Compare(filters.key, "contains", value) for value in values)
        return Some(parts) if operator == "any" else Every(parts)
    return Compare(filters.key, SAME.get(operator, operator), filters.value)
