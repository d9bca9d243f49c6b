"""What the tests of the package share."""

from __future__ import annotations

import pytest

from tests.annoy_indexes import METRICS, known


@pytest.fixture(params=METRICS)
def each_metric(request) -> str:
    """Annoy's metrics, as far as the extension has one for them."""
    if not known(request.param):
        pytest.skip(f"the extension has no metric for {request.param}")
    return str(request.param)
