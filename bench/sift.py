"""SIFT descriptors of pictures, by OpenCV.

    python bench/sift.py OUT.npy PICTURE...

OUT.npy becomes float32 (n, 128): the descriptors of all pictures, in their order, each value 0 to 255.
Pictures are reduced to at most 2,560 pixels a side first. It runs in the private Python that
`bench/data.py` makes, the only place where OpenCV is installed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from rich.progress import track

LONGEST_SIDE = 2560


def descriptors(path: str) -> np.ndarray:
    """One picture -> float32 (n, 128); a flat picture may have none."""
    picture = cv2.imread(path, cv2.IMREAD_GRAYSCALE)
    if picture is None:
        raise SystemExit(f"{path} is not a picture that OpenCV can read")
    scale = min(1.0, LONGEST_SIDE / max(picture.shape))
    if scale < 1:
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    _points, found = cv2.SIFT_create().detectAndCompute(picture, None)
    return np.empty((0, 128), np.float32) if found is None else found


def main() -> None:
    out, *pictures = sys.argv[1:]
    cv2.setNumThreads(2)
    found = np.concatenate([descriptors(path) for path in track(pictures, "Describing the pictures")])
    part = Path(out + ".part")
    with part.open("wb") as file:
        np.save(file, found)
    part.replace(out)


if __name__ == "__main__":
    main()
