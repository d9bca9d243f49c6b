"""What the tests of AnnoyIndex share."""

from __future__ import annotations

import pytest

from tests.annoy_indexes import METRICS


@pytest.fixture(params=METRICS)
def each_metric(request) -> str:
    return str(request.param)
