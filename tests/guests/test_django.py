"""What docs/HOSTS.md says of Django, in a project with an app: migrations make the index, and none is made that drops it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytest.importorskip("django")
pytest.importorskip("pysqlite3")

from tests.guests.plugins import ROOT

PROJECT = {
    "manage.py": """
import os, sys, pysqlite3

sys.modules["sqlite3"], sys.modules["sqlite3.dbapi2"] = pysqlite3, pysqlite3.dbapi2
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
from django.core.management import execute_from_command_line

execute_from_command_line(sys.argv)
""",
    "settings.py": """
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "songs.db"}}
INSTALLED_APPS = ["songs"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SECRET_KEY = "x"
USE_TZ = True
""",
    "songs/__init__.py": "",
    "songs/apps.py": """
import sqlite_ann
from django.apps import AppConfig
from django.db.backends.signals import connection_created


def load(connection, **kwargs):
    sqlite_ann.load(connection.connection)


class Songs(AppConfig):
    name = "songs"

    def ready(self):
        connection_created.connect(load)
""",
    "songs/models.py": """
from django.db import models


class Song(models.Model):
    title = models.TextField()
    embedding = models.BinaryField(null=True)

    class Meta:
        db_table = "song"
""",
}
INDEX = """
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("songs", "0001_initial")]
    operations = [
        migrations.RunSQL(
            "CREATE VIRTUAL TABLE song_ann USING ann(embedding float32[2], metric=l2, content=song)",
            "DROP TABLE song_ann",
        )
    ]
"""
SEARCH = """
import numpy as np
from songs.models import Song
for i in range(5):
    Song.objects.create(title=f"tune {i}", embedding=np.array([i, 1], "<f4").tobytes())
Song.objects.filter(title="tune 2").update(embedding=np.array([9, 1], "<f4").tobytes())
Song.objects.filter(title="tune 0").delete()
near = "SELECT song.*, rank, distance FROM ann_search('song_ann', %s, 2) AS near JOIN song USING (id) ORDER BY rank"
print([(song.title, song.distance) for song in Song.objects.raw(near, ["[8, 1]"])])
"""


@pytest.fixture
def manage(tmp_path):
    for name, text in PROJECT.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")

    def run(*words, **options):
        path = os.pathsep.join([str(tmp_path), str(ROOT), *sys.path[1:]])
        command = [sys.executable, "manage.py", *words]
        done = subprocess.run(
            command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, **options
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("makemigrations", "songs")
    (tmp_path / "songs" / "migrations" / "0002_index.py").write_text(INDEX, encoding="utf-8")
    run("migrate")
    return run


def test_a_search_follows_what_the_orm_writes(manage):
    assert manage("shell", "-c", SEARCH).splitlines()[-1] == "[('tune 2', 1.0), ('tune 4', 4.0)]"


def test_no_migration_wants_to_drop_the_index_and_one_goes_back(manage):
    manage("makemigrations", "--check", "--dry-run")
    manage("migrate", "songs", "0001")
    assert "song_ann" not in manage("inspectdb")
    manage("migrate")


def test_inspectdb_shows_the_index_and_the_tables_behind_it(manage):
    shown = manage("inspectdb")
    tables = {line.split("'")[1] for line in shown.splitlines() if "db_table = 'song" in line}
    assert tables == {"song", "song_ann", *(f"song_ann_{of}" for of in SHADOWS)}


SHADOWS = ["changes", "config", "pages", "places", "waiting"]
