"""Ann tables behave like dictionaries, whatever is done to them in whatever order.

`ANN_MODEL=deep` does far more steps, from another seed every time; `ANN_SEED=n` does those of a seed again.
"""

from __future__ import annotations

import os
import random

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from .machine import Machine

DEEP = os.environ.get("ANN_MODEL", "ci") == "deep"

QUIET = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck), "print_blob": True}
CI = settings(max_examples=22, stateful_step_count=30, phases=[Phase.generate], **QUIET)
DEEPER = settings(max_examples=400, stateful_step_count=60, phases=[Phase.generate, Phase.shrink], **QUIET)


@pytest.mark.slow
@pytest.mark.timeout(0 if DEEP else 600)
@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_tables_agree_with_the_model(journal):
    start = int(os.environ.get("ANN_SEED", random.randrange(2**32) if DEEP else 2026))
    print(f"seed {start}: ANN_SEED={start}")
    machine = seed(start)(type("Machine", (Machine,), {"journal": journal}))
    run_state_machine_as_test(machine, settings=DEEPER if DEEP else CI)
