"""Documents with keys, texts, metadata and vectors: collection.py."""
