"""pyproject.toml declares what is imported, and nothing else."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

# Packages that are called otherwise than what is imported; elsewhere _ becomes -.
CALLED = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "faiss": "faiss-cpu",
    "haystack": "haystack-ai",
    "langgraph": "langgraph-checkpoint",
    "lizard_languages": "lizard",
    "llama_index": "llama-index-core",
    "umap": "umap-learn",
}
THEIRS = {
    "ml-dtypes",
    "click",
}  # who has arrays of that type has it; the command lines of llm and sqlite-utils are made of click
COMMANDS = {"clang-format", "mypy", "pytest-timeout", "pytest-xdist", "ruff"}  # run, not imported
OPTIONAL = re.compile(r"(.*\.)?(importorskip|find_spec|import_module)")
OURS = {"sqlite_ann", "tests", "docs", *(path.stem for path in (ROOT / "bench").glob("*.py"))}


def packages(*extras: str) -> set[str]:
    """What pip installs with these extras, without versions."""
    required = [*PROJECT["dependencies"], *(line for e in extras for line in PROJECT["optional-dependencies"][e])]
    return {re.split(r"[\s<>=!~\[;]", line)[0].lower() for line in required}


def imported(text: str) -> set[str]:
    """The packages that a source imports, in functions too, or where they are installed."""
    modules: list[str] = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            modules.append(node.module or "")
        elif isinstance(node, ast.Call) and OPTIONAL.fullmatch(ast.unparse(node.func)):
            modules += [at.value for at in node.args[:1] if isinstance(at, ast.Constant)]
    names = {module.partition(".")[0] for module in modules} - set(sys.stdlib_module_names) - OURS
    return {CALLED.get(name, name.replace("_", "-")) for name in names}


@cache
def imported_in(folder: str) -> dict[str, set[str]]:
    """By file; what bench/data.py installs in a Python of its own is left out of the files that run there."""
    files = {path: path.read_text("utf-8") for path in sorted((ROOT / folder).rglob("*.py"))}
    private = set(
        re.findall(r'"([\w-]+)(?:==[\d.]+)?"', " ".join(re.findall(r"private_python\((.*)\)", "".join(files.values()))))
    )
    alone = {"minilm.py", "sift.py"}
    return {path.name: imported(text) - (private if path.name in alone else set()) for path, text in files.items()}


PINNED = {  # of tests with an environment of their own
    line.partition("==")[0]
    for file in sorted((ROOT / "tests").glob("*/requirements.txt"))
    for line in file.read_text("utf-8").split()
    if "==" in line
}
EXTRAS = {
    "sqlite_ann": [extra for extra in PROJECT["optional-dependencies"] if extra not in ("bench", "dev")],
    "bench": ["bench"],
    "docs": ["dev"],
    "tests": ["dev", "bench", "map"],
}


@pytest.mark.parametrize("folder", EXTRAS)
def test_what_is_imported_is_declared(folder: str):
    declared = packages(*EXTRAS[folder]) | {
        "sqlite_ann": THEIRS,
        "tests": THEIRS | PINNED,
        "bench": PINNED | packages("dbapi"),
    }.get(folder, set())
    assert {name: missing for name, used in imported_in(folder).items() if (missing := used - declared)} == {}


@pytest.mark.parametrize("extra", PROJECT["optional-dependencies"])
def test_what_is_declared_is_imported(extra: str):
    used = {package for folder in EXTRAS for names in imported_in(folder).values() for package in names}
    assert packages(extra) - packages() - used - COMMANDS == set()


def test_an_import_is_seen_wherever_it_stands():
    assert imported("import os, numpy.linalg as n\nfrom .x import y\nfrom bench import z") == {"numpy", "bench"}
    assert imported("def f():\n  from PIL import Image\n  import sqlite_vec") == {"pillow", "sqlite-vec"}
    assert imported("pytest.importorskip('polars')\nfind_spec('ml_dtypes')") == {"polars", "ml-dtypes"}


def test_the_recipe_for_conda_asks_for_what_pyproject_asks_for():
    recipe = (ROOT / ".ci/conda/recipe.yaml").read_text("utf-8")
    assert f'version: "{PROJECT["version"]}"' in recipe
    run = re.findall(r"^    - (.+)$", recipe.partition("  run:\n")[2].partition("tests:")[0], flags=re.MULTILINE)
    assert run == [f"python {PROJECT['requires-python']}", *(re.sub("(?=>=)", " ", d) for d in PROJECT["dependencies"])]
