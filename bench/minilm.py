"""Sentence embeddings by all-MiniLM-L6-v2, written out in plain torch.

    python bench/minilm.py MODEL_FOLDER TEXTS OUT.npy [--threads 2]

MODEL_FOLDER holds `model.safetensors` and `tokenizer.json`; TEXTS is a UTF-8 file, one text a line.
OUT.npy becomes float32 (lines, 384), rows of length 1, in the order of the lines.

It runs in the private Python that `bench/data.py` makes, the only place where torch is installed.
Texts are embedded from the shortest to the longest, so that little padding is computed, in chunks that
are saved one by one beside OUT.npy: a run that was stopped goes on at the first chunk that is missing.

The model is a BERT of 6 layers, 12 heads, 384 dimensions; a sentence is the mean of its tokens' last
states, made length 1 (Wang et al., "MiniLM", 2020; Reimers and Gurevych, "Sentence-BERT", 2019).
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import numpy as np
import torch
from rich.progress import track
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch.nn import functional as F

N_LAYERS, N_HEADS, MAX_TOKENS = 6, 12, 256
CHUNK, BATCH = 2048, 64


class MiniLM:
    """The encoder: token ids in, one unit vector a text out."""

    def __init__(self, folder: Path) -> None:
        self.weights = load_file(folder / "model.safetensors")
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(MAX_TOKENS)

    def tokens(self, texts: list[str]) -> list[list[int]]:
        """The token ids of each text, with the marks of its beginning and end."""
        return [encoding.ids for encoding in self.tokenizer.encode_batch(texts)]

    @torch.inference_mode()
    def embed(self, batch: list[list[int]]) -> np.ndarray:
        """Token ids of n texts -> float32 (n, 384)."""
        longest = max(map(len, batch))
        ids = torch.tensor([row + [0] * (longest - len(row)) for row in batch])
        real = torch.arange(longest) < torch.tensor([[len(row)] for row in batch])
        states = self._embed_tokens(ids)
        for layer in range(N_LAYERS):
            states = self._layer(f"encoder.layer.{layer}.", states, real)
        mean = (states * real[..., None]).sum(1) / real.sum(1, keepdim=True)
        return F.normalize(mean).numpy()

    def _embed_tokens(self, ids: torch.Tensor) -> torch.Tensor:
        weights = self.weights
        states = weights["embeddings.word_embeddings.weight"][ids]
        states = states + weights["embeddings.position_embeddings.weight"][: ids.shape[1]]
        states = states + weights["embeddings.token_type_embeddings.weight"][0]
        return self._norm("embeddings.LayerNorm", states)

    def _layer(self, at: str, states: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        """One block: attention, then two linear maps; after each the sum with its input is normed."""
        n, length, width = states.shape

        def heads(name: str) -> torch.Tensor:
            part = self._linear(f"{at}attention.self.{name}", states)
            return part.view(n, length, N_HEADS, width // N_HEADS).transpose(1, 2)

        seen = F.scaled_dot_product_attention(
            heads("query"), heads("key"), heads("value"), attn_mask=real[:, None, None, :]
        )
        seen = self._linear(f"{at}attention.output.dense", seen.transpose(1, 2).reshape(n, length, width))
        states = self._norm(f"{at}attention.output.LayerNorm", seen + states)
        inner = F.gelu(self._linear(f"{at}intermediate.dense", states))
        return self._norm(f"{at}output.LayerNorm", self._linear(f"{at}output.dense", inner) + states)

    def _linear(self, name: str, states: torch.Tensor) -> torch.Tensor:
        return F.linear(states, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])

    def _norm(self, name: str, states: torch.Tensor) -> torch.Tensor:
        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        return F.layer_norm(states, weight.shape, weight, bias, 1e-12)


def embed_file(model: MiniLM, texts: list[str], out: Path) -> None:
    """Embed all texts into `out`, chunk by chunk; chunks that a stopped run left are kept."""
    tokens = model.tokens(texts)
    order = np.argsort([len(row) for row in tokens], kind="stable")
    folder = out.with_suffix(".chunks")
    folder.mkdir(parents=True, exist_ok=True)
    chunks = [order[at : at + CHUNK] for at in range(0, len(order), CHUNK)]
    for number, chunk in enumerate(track(chunks, "Embedding the texts")):
        path = folder / f"{number:04}.npy"
        if not path.exists():
            rows = [tokens[i] for i in chunk]
            batches = [rows[at : at + BATCH] for at in range(0, len(rows), BATCH)]
            save(path, np.concatenate([model.embed(batch) for batch in batches]))

    vectors = np.empty((len(texts), 384), np.float32)
    for number, chunk in enumerate(chunks):
        vectors[chunk] = np.load(folder / f"{number:04}.npy")
    save(out, vectors)
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
    embed_file(MiniLM(arguments.model), texts, arguments.out)


if __name__ == "__main__":
    main()
