"""The arithmetic and the wording of `make bench`; nothing here is timed, and no peer is needed."""

from __future__ import annotations

import json

import front
import pytest
import table


def test_examples(run_examples):
    run_examples(front)
    run_examples(table)


def variant(peer: str, *points: tuple[float, list[float]], build_s: float = 1.0) -> dict:
    """A variant of a peer as `compare.py` keeps it; points are (recall, queries/s of each round)."""
    return {
        "peer": peer,
        "options": {},
        "points": [{"setting": {}, "recall": recall, "rounds": rounds} for recall, rounds in points],
        "build_s": build_s,
        "bytes": 2_000_000,
        "search_mb": 30.0,
        "open_ms": [1.0, 2.0, 30.0],
        "first_ms": [4.0, 4.0, 4.0],
    }


def result(*builds: dict, **other: object) -> dict:
    """A data set's results as `compare.py` keeps them."""
    machine = {"cpu": "a processor", "cores": 2, "memory_gb": 8, "python": "3.11", "sqlite": "3.50"}
    about = {"data": "text", "rows": 1000, "dimensions": 8, "metric": "l2", "machine": machine, "commit": "abc"}
    versions = {"annoy": "1.17", "sqlite_ann": "0.1"}
    return {**about, "versions": versions, "date": "2026-01-02T03:04", "builds": list(builds), "left_out": [], **other}


# --- The Pareto front


def test_the_front_has_no_point_that_another_beats_in_both():
    points = [(0.9, 100.0), (0.95, 50.0), (0.92, 40.0), (0.7, 99.0), (1.0, 1.0)]
    assert front.pareto(points) == [(0.9, 100.0), (0.95, 50.0), (1.0, 1.0)]


def test_of_equal_recall_the_fastest_counts_and_of_equal_speed_the_most_careful():
    assert front.pareto([(0.9, 10.0), (0.9, 20.0), (0.8, 20.0)]) == [(0.9, 20.0)]


def test_the_front_of_nothing_is_nothing():
    assert front.pareto([]) == []
    assert front.speed_at([], 0.9) is None


# --- Speed at a recall


def test_between_two_points_the_logarithm_of_the_speed_is_linear():
    assert front.speed_at([(0.9, 1000.0), (1.0, 10.0)], 0.95) == pytest.approx(100)
    assert front.speed_at([(0.9, 1000.0), (1.0, 10.0)], 0.925) == pytest.approx(10**2.5)


def test_a_measured_point_is_given_as_it_is():
    assert front.speed_at([(0.9, 1000.0), (0.95, 77.0), (1.0, 10.0)], 0.95) == pytest.approx(77)


def test_points_off_the_front_do_not_bend_it():
    assert front.speed_at([(0.9, 1000.0), (0.95, 2.0), (1.0, 10.0)], 0.95) == pytest.approx(100)


def test_a_recall_that_was_not_reached_has_no_speed():
    assert front.speed_at([(0.9, 1000.0)], 0.9001) is None


def test_an_exact_library_has_its_speed_at_every_recall():
    assert front.speed_at([(1.0, 12.0)], 0.5) == 12


# --- Results


def test_the_median_round_counts_and_settings_not_reached_do_not():
    built = variant("annoy", (0.9, [10.0, 500.0, 12.0]))
    built["points"].append({"setting": {}})
    assert front.points([built]) == [(0.9, 12.0)]


def test_the_size_told_is_that_of_the_variant_that_is_fastest_where_it_matters():
    careless = variant("annoy", (0.9, [1000.0]))
    fast = variant("annoy", (0.9, [500.0]), (0.99, [400.0]))
    slow = variant("annoy", (0.9, [50.0]), (0.99, [40.0]))
    assert front.chosen([careless, slow, fast]) is fast


# --- The table


def test_a_peer_is_told_with_its_ratio_to_ours():
    results = [result(variant("sqlite_ann", (0.995, [1000.0])), variant("annoy", (0.94, [500.0]), build_s=0.25))]
    lines = table.lines(results)
    ours, annoy = (next(line for line in lines if name in line) for name in ("| **sqlite_ann** |", "| annoy |"))
    assert ours == "| **text**, 1,000 × 8 | **sqlite_ann** | 1,000 | 1,000 | 1,000 | 1.0 | 2.0 | 30 | 6.0 |"
    assert annoy == "|  | annoy | 500 (0.50×) | – | – | 0.25 (0.25×) | 2.0 (1.0×) | 30 (1.0×) | 6.0 (1.0×) |"


def test_all_rows_have_as_many_cells_as_the_heading():
    lines = table.lines([result(variant("vec1", (0.9, [3.0])))])
    assert len({line.count("|") for line in lines if line.startswith("|")}) == 1


def test_the_notes_name_machine_versions_commit_and_who_is_left_out():
    gone = {"peer": "usearch", "options": {}, "why": "no wheel"}
    text = "\n".join(table.lines([result(variant("annoy", (0.9, [3.0])), left_out=[gone])]))
    for part in ("a processor, 2 cores", "annoy 1.17", "commit abc", "usearch is left out: no wheel"):
        assert part in text


BEGIN, END = table.marks("sizes")


def test_only_what_is_between_the_comments_is_replaced():
    others = "\n".join(table.marks("others"))
    once = table.replaced(f"before\n{others}\n{BEGIN}\n{END}\nafter\n", "sizes", ["one"])
    assert table.replaced(once, "sizes", ["two"]) == once.replace("one", "two")
    assert once.startswith(f"before\n{others}\n")
    assert once.endswith("\nafter\n")


@pytest.mark.parametrize("text", ["", BEGIN, f"{END}{BEGIN}", f"{BEGIN}{END}" * 2, "\n".join(table.marks("others"))])
def test_without_the_comments_nothing_is_written(text):
    with pytest.raises(ValueError, match="expected the lines"):
        table.replaced(text, "sizes", [])


def test_the_pages_have_the_tables_of_what_is_kept():
    for page, name, lines in table.tables():
        text = page.read_text("utf-8")
        assert table.replaced(text, name, lines) == text, f"python bench/table.py writes {page.name} anew"


def test_the_short_table_has_the_figures_of_the_long_one():
    results = table.load([table.KEPT])
    long = table.lines([result for result in results if result["data"] == table.FEW])
    for short in table.few(results)[2:]:
        name, speed, build, memory, first = short.strip("| ").split(" | ")
        row = next(line for line in long if f"| {name} |" in line)
        told = [cell.split(" ")[0] for cell in row.strip("|").split("|")[2:] for cell in [cell.strip()]]
        assert [speed, build, memory, first] == [told[1], told[3], told[5], told[6]]


def test_kept_results_are_what_was_measured_in_the_order_of_the_table(tmp_path):
    results = [result(variant("annoy", (0.9, [3.0])), data=name) for name in ("sift", "fashion")]
    (tmp_path / "kept.json").write_text(table.compact(results))
    assert table.load([tmp_path / "kept.json"]) == results[::-1]
    assert json.loads(table.compact([])) == []
