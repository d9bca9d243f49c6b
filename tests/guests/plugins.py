"""What an installed package tells its hosts: a folder with our entry points, to put on sys.path or PYTHONPATH."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]


def announced(folder: Path) -> Path:
    """A folder in which importlib.metadata finds the entry points of pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    info = folder / "sqlite_ann-0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sqlite_ann\nVersion: 0\n")
    lines = []
    for group, points in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {target}" for name, target in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines))
    return folder


def run(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`python -m …` in a folder, with the plugins that `announced` tells of there."""
    plugins = folder / "plugins"
    path = os.pathsep.join(map(str, [plugins if plugins.exists() else announced(plugins), ROOT, *sys.path[1:]]))
    env: Mapping[str, str] = {**os.environ, "PYTHONPATH": path, **environment}
    return subprocess.run([sys.executable, "-m", *words], cwd=folder, env=env, capture_output=True, text=True)
