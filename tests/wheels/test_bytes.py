"""The wheels can be made again, by anybody: from the source distribution, in another folder, to the same bytes."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile

import pytest

from tests.wheels.conftest import WHEELS

AGAIN = ["manylinux2014_x86_64", "macosx_11_0_arm64"]  # of two linkers; all ten were compared by hand


@pytest.mark.timeout(3600)
def test_made_again_from_the_sources_in_another_folder_they_have_the_same_bytes(tmp_path):
    (archive,) = WHEELS.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        made = int(max(member.mtime for member in tar.getmembers()))
        tar.extractall(tmp_path, filter="data")
    source = tmp_path / archive.name.removesuffix(".tar.gz")
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(made)}
    subprocess.run([sys.executable, ".ci/wheels.py", *AGAIN], cwd=source, env=environment, check=True)
    again = {path.name: path.read_bytes() for path in (source / "build/wheels").iterdir()}
    assert len(again) == 1 + len(AGAIN)
    assert [name for name, data in again.items() if (WHEELS / name).read_bytes() != data] == []
