"""Ours and the peers side by side, in one run on one machine: what `make bench` runs.

    python bench/compare.py                                  # everything: most of an hour
    python bench/compare.py --quick                          # a taste: under five minutes
    python bench/compare.py --data text --peers sqlite_ann hnswlib --rows 50000
    python bench/compare.py --data text-int8 text-bit sift-l1      # other types and metrics: `make bench-types`

For each data set:

1. Each peer builds each of its variants, in a process of its own, with two threads if it can.
2. Fresh processes open the files, one each, and answer a first query; twice more, for the median.
3. The last of these stay. In turn each answers a round of queries at its next setting, one query a call and
   one thread, and so on until all settings have had several rounds. So whatever the machine does meanwhile
   happens to all alike, and ours is measured from the beginning to the end; it also has the last round.

What was measured is kept in build/bench/NAME.json after every step, so an interrupt loses nothing.
`make bench-report` turns it into the table and the curves.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import apsw
import data
import front
import numpy as np
import peers
from peer import THREADS, K
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

HERE = Path(__file__).resolve().parent
OUT = HERE.parent / "build" / "bench"
DATA = ("fashion", "text", "words", "sift")
QUICK_DATA, QUICK_ROWS = ("fashion", "text"), 20_000
QUICK_PEERS = ("sqlite_ann", "annoy", "hnswlib", "faiss-pq", "sqlite-vec", "vec1")
OPENED = 3  # fresh processes whose first query is timed
MOST = 900  # seconds of a build, after which it is given up

console = Console()


@dataclass(frozen=True)
class Plan:
    """What is measured, and how thoroughly."""

    data: list[str]
    peers: list[str]
    rows: int | None  # of each data set, a random sample; None for all
    quick: bool  # one variant a peer, every second setting
    passes: int  # rounds of each setting
    seconds: float  # of a round
    out: Path


@dataclass
class Run:
    """A data set's results, always ready to be saved."""

    plan: Plan
    progress: Progress
    dataset: data.Dataset
    folder: Path  # of arrays and files, gone in the end
    result: dict[str, Any]
    task: Any
    log: Any = None
    servers: list[Server] = field(default_factory=list)

    def say(self, doing: str) -> None:
        self.progress.update(self.task, description=f"{self.dataset.name}: {doing}")

    def save(self) -> None:
        """Write the results so far, whole or not at all."""
        path = self.plan.out / f"{self.dataset.name}.json"
        part = path.with_suffix(".part")
        part.write_text(json.dumps(self.result, indent=1) + "\n")
        part.replace(path)


class Failed(Exception):
    """A peer's process ended without an answer."""


@dataclass
class Server:
    """A process that has a variant's file open, and what it measured."""

    process: subprocess.Popen[str]
    built: dict[str, Any]  # an entry of result["builds"]

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise Failed
        answer: dict[str, Any] = json.loads(line)
        return answer

    def round(self, point: dict[str, Any], seconds: float) -> None:
        """One more round at this setting, added to the point."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"setting": point["setting"], "seconds": seconds}) + "\n")
        self.process.stdin.flush()
        answer = self.answer()
        point.setdefault("rounds", []).append(round(answer["queries_per_s"], 2))
        if "recall" in answer:
            point["recall"], point["asked"] = round(answer["recall"], 5), answer["asked"]
        self.built["search_mb"] = round(answer["search_mb"], 1)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


# ---- Steps of a run -------------------------------------------------------------------------------


def start(action: str, job: dict[str, Any], threads: int, log: Any) -> subprocess.Popen[str]:
    """A worker, whose numeric libraries may use so many threads."""
    limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    return subprocess.Popen(
        [sys.executable, str(HERE / "worker.py"), action, json.dumps(job)],
        env={**os.environ, **limits},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        start_new_session=True,  # an interrupt is for us; we stop the workers
    )


def variants(run: Run) -> list[dict[str, Any]]:
    """An entry for every peer and way to build, nothing of it measured yet."""
    n, dim = len(run.dataset.base), run.dataset.dim
    found = []
    for name in run.plan.peers:
        peer = peers.PEERS[name]()
        if (run.dataset.element, run.dataset.metric) not in peer.takes:
            continue
        builds = peer.builds(n, dim)
        for options in builds[:1] if run.plan.quick else builds:
            settings = peer.settings(options, n)
            if run.plan.quick and len(settings) > 3:
                settings = settings[1::2]
            found.append({"peer": name, "options": options, "points": [{"setting": s} for s in settings]})
    return found


def job(run: Run, built: dict[str, Any], folder: Path) -> dict[str, Any]:
    """What a worker has to know."""
    return {
        "peer": built["peer"],
        "options": built["options"],
        "space": {"dim": run.dataset.dim, "metric": run.dataset.metric, "element": run.dataset.element},
        "folder": str(run.folder),
        "file": str(folder / "index"),
        "setting": built["points"][len(built["points"]) // 2]["setting"],  # of the first query
    }


def build(run: Run, built: dict[str, Any], folder: Path) -> None:
    """Time a build and weigh its files."""
    folder.mkdir(parents=True)
    process = start("build", job(run, built, folder), THREADS, run.log)
    try:
        text, _ = process.communicate(timeout=MOST)
    finally:
        process.kill()
    if process.returncode != 0 or not text:
        raise Failed
    answer = json.loads(text)
    built["build_s"], built["build_mb"] = round(answer["seconds"], 3), round(answer["build_mb"], 1)
    built["bytes"] = sum(file.stat().st_size for file in folder.iterdir())


def open_file(run: Run, built: dict[str, Any], folder: Path) -> Server:
    """A server of this variant; what its opening and first query took are added to it."""
    server = Server(start("serve", job(run, built, folder), 1, run.log), built)
    try:
        answer = server.answer()
    except BaseException:
        server.stop()
        raise
    for key in ("open_ms", "first_ms"):
        built.setdefault(key, []).append(round(answer[key], 3))
    return server


def prepare(run: Run) -> None:
    """Build all variants and leave a server of each running."""
    for i, built in enumerate(variants(run)):
        options = " ".join(f"{key}={value}" for key, value in built["options"].items())
        run.say(f"{built['peer']} {options} builds")
        folder = run.folder / f"{i}"
        try:
            build(run, built, folder)
            for _ in range(OPENED - 1):
                open_file(run, built, folder).stop()
            run.servers.append(open_file(run, built, folder))
        except (Failed, subprocess.TimeoutExpired) as error:
            give_up(run, built, error)
            continue
        run.result["builds"].append(built)
        run.progress.advance(run.task)
        run.save()


def give_up(run: Run, built: dict[str, Any], error: Exception) -> None:
    """Leave a variant out, in one sentence."""
    if isinstance(error, subprocess.TimeoutExpired):
        why = f"took more than {MOST} s"
    else:
        run.log.flush()
        why = (Path(run.log.name).read_text().strip().splitlines() or ["its process ended"])[-1]
    run.progress.console.print(f"{run.dataset.name}: {built['peer']} {built['options']} is left out: {why}")
    run.result["left_out"].append({"peer": built["peer"], "options": built["options"], "why": why})


def ask(run: Run) -> None:
    """Rounds of queries, in turn, setting by setting."""
    ours = [server for server in run.servers if server.built["peer"] == peers.Ours.name]
    order = [(i, run.servers) for i in range(run.plan.passes)] + [(run.plan.passes, ours)]
    longest = max((len(server.built["points"]) for server in run.servers), default=0)
    for i, servers in order:
        for at in range(longest):
            for server in servers:
                if at >= len(server.built["points"]) or server.process.poll() is not None:
                    continue
                run.say(f"round {i + 1}, {server.built['peer']}")
                try:
                    server.round(server.built["points"][at], run.plan.seconds)
                except (Failed, BrokenPipeError) as error:
                    give_up(run, server.built, error)
                run.progress.advance(run.task)
            run.save()


@contextlib.contextmanager
def running(plan: Plan, progress: Progress, name: str) -> Iterator[Run]:
    """A data set's arrays in a folder for the workers, and an end to all of them in any case."""
    dataset, truth = sample(name, plan.rows)
    folder = plan.out / "files" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for part, array in {"base": dataset.base, "queries": dataset.queries, "truth": truth}.items():
        np.save(folder / f"{part}.npy", array)
    about = {"data": name, "rows": len(dataset.base), "dimensions": dataset.dim}
    about |= {"type": dataset.element, "metric": dataset.metric}
    result = {**about, "queries": len(dataset.queries), "k": K, **circumstances(plan.peers), "quick": plan.quick}
    run = Run(plan, progress, dataset, folder, {**result, "builds": [], "left_out": []}, progress.add_task(name))
    todo = variants(run)
    rounds = sum(len(built["points"]) * (plan.passes + (built["peer"] == peers.Ours.name)) for built in todo)
    progress.update(run.task, total=len(todo) + rounds)
    try:
        with (plan.out / f"{name}.log").open("w+") as run.log:
            yield run
    finally:
        for server in run.servers:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def sample(name: str, rows: int | None) -> tuple[data.Dataset, np.ndarray]:
    """The data set, or so many of its rows at random; and the true neighbours, int64 (q, >= K)."""
    data.bring(name)
    whole = data.load(name)
    if rows is None or rows >= len(whole.base):
        return whole, data.ground_truth(whole)
    chosen = np.sort(np.random.default_rng(0).permutation(len(whole.base))[:rows])
    part = replace(whole, base=whole.base[chosen])
    return part, data.exact_neighbours(part.base, part.queries, part.metric, K)


# ---- What to say about it -------------------------------------------------------------------------


def circumstances(names: list[str]) -> dict[str, Any]:
    """Machine, versions, date, commit."""
    packages = sorted({package for name in names for package in peers.PEERS[name].packages} | {"numpy", "apsw"})
    return {
        "machine": {
            "cpu": cpu_name(),
            "cores": os.cpu_count(),
            "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
            "system": f"{platform.system()} {platform.release()}",
            "python": platform.python_version(),
            "sqlite": apsw.sqlite_lib_version(),
        },
        "versions": {package: version(package) for package in packages},
        "commit": commit(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes"),
    }


def cpu_name() -> str:
    """What the processor calls itself, with its clock."""
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        about = dict(part.split(":", 1) for part in lines if ":" in part)
        about = {key.strip(): value.strip() for key, value in about.items()}
        if "model name" in about:
            return f"{about['model name']} at {float(about.get('cpu MHz', 'nan')) / 1000:.1f} GHz"
    return platform.processor() or platform.machine()


def version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def commit() -> str:
    """The commit measured, with '-dirty' if files differ from it."""
    command = ["git", "-C", str(HERE), "describe", "--always", "--dirty", "--exclude=*"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def summary(result: dict[str, Any]) -> Table:
    """What a run found, for the terminal; the table of docs/FIGURES.md has more."""
    head = f"{result['data']}: {result['rows']:,} x {result['dimensions']}, {result['metric']}, queries/s at recall@10"
    table = Table(
        "peer", *[f".{round(100 * recall)}" for recall in front.RECALLS], "best recall", "build s", title=head
    )
    for name, builds in front.by_peer(result).items():
        points = front.points(builds)
        speeds = [front.speed_at(points, recall) for recall in front.RECALLS]
        best = max((recall for recall, _ in points), default=float("nan"))
        cells = ["–" if speed is None else f"{speed:,.0f}" for speed in speeds]
        table.add_row(name, *cells, f"{best:.4f}", ", ".join(f"{built['build_s']:.1f}" for built in builds))
    return table


def arguments() -> Plan:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", choices=data.NAMES, metavar="NAME", help=", ".join(data.NAMES))
    parser.add_argument("--peers", nargs="+", choices=list(peers.PEERS), metavar="PEER", help=", ".join(peers.PEERS))
    parser.add_argument("--rows", type=int, help="of each data set, at random; all if not given")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--passes", type=int)
    parser.add_argument("--seconds", type=float, default=0.7, help="of a round of queries, at most")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    quick = given.quick
    return Plan(
        data=given.data or list(QUICK_DATA if quick else DATA),
        peers=given.peers or list(QUICK_PEERS if quick else peers.PEERS),
        rows=given.rows or (QUICK_ROWS if quick else None),
        quick=quick,
        passes=given.passes or (2 if quick else 3),
        seconds=given.seconds,
        out=given.out or (OUT / "quick" if quick else OUT),
    )


def main() -> None:
    plan = arguments()
    plan.out.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the workers end in that case too
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    try:
        for name in plan.data:
            with Progress(*columns, console=console) as progress, running(plan, progress, name) as run:
                prepare(run)
                ask(run)
                run.save()
            console.print(summary(run.result))
    except KeyboardInterrupt:
        console.print(f"Stopped; what was measured is in {os.path.relpath(plan.out)}")
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
