"""Sentence embeddings by a model of sentence-transformers.

    python bench/minilm.py MODEL_FOLDER TEXTS OUT.npy [--threads 2]

MODEL_FOLDER holds all-MiniLM-L6-v2 as its authors publish it; TEXTS is a UTF-8 file, one text a line.
OUT.npy becomes float32 (lines, 384), rows of length 1, in the order of the lines.

It runs in the private Python that `bench/data.py` makes, the only place where torch is installed.
Chunks of texts are saved one by one beside OUT.npy: a run that was stopped goes on at the first chunk that is missing.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import numpy as np
import torch
from rich.progress import track
from sentence_transformers import SentenceTransformer

CHUNK, BATCH = 2048, 64


def embed_file(model: SentenceTransformer, texts: list[str], out: Path) -> None:
    """Embed all texts into `out`, chunk by chunk; chunks that a stopped run left are kept."""
    folder = out.with_suffix(".chunks")
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{at:06}.npy" for at in range(0, len(texts), CHUNK)]
    for path in track(paths, "Embedding the texts"):
        if not path.exists():
            at = int(path.stem)
            save(path, model.encode(texts[at : at + CHUNK], batch_size=BATCH, show_progress_bar=False))
    save(out, np.concatenate([np.load(path) for path in paths]))
    shutil.rmtree(folder)


def save(path: Path, array: np.ndarray) -> None:
    """Write an array under its name only when it is whole."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        np.save(file, array)
    part.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description="Embed a file of texts, one a line.")
    parser.add_argument("model", type=Path)
    parser.add_argument("texts", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    texts = arguments.texts.read_text("utf-8").split("\n")[:-1]
    embed_file(SentenceTransformer(str(arguments.model), device="cpu"), texts, arguments.out)


if __name__ == "__main__":
    main()
