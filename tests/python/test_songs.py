"""The songs of the demo: reading ABC, and vectors in which songs that go alike are near."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from sqlite_ann.demo import corpus, songs
from sqlite_ann.demo.abc_reader import UnreadableTune, read_key, read_metre, read_tune, split_tunes
from sqlite_ann.demo.corpus import Song


def tune(music: str, key: str = "C", metre: str = "4/4", unit: str = "1/4"):
    return read_tune(f"X:1\nT:A tune\nM:{metre}\nL:{unit}\nK:{key}\n{music}\n")


def pitches(music: str, **fields: str) -> list[int]:
    return tune(music, **fields).pitches


def durations(music: str, **fields: str) -> list[float]:
    return tune(music, **fields).durations


def song(title: str, notes: list[int], times: list[float] | None = None) -> Song:
    return Song(title, "a book", "", "", "C major", "4/4", notes, times or [1.0] * len(notes), "X:1\nK:C\nC")


# --- Files and fields


def test_a_file_is_cut_at_each_x_field():
    tunes = split_tunes("% the book\n\nX:1\nT:One\nK:C\nCDE\n\nX: 2\nT:Two\nK:G\nGAB\n")
    assert [read_tune(text).first("T") for text in tunes] == ["One", "Two"]


def test_the_first_title_that_says_something_is_the_title():
    read = read_tune("X:1\nT:\nT: The Ranting Highlandman.\nT:The White Cockade\nK:G\nGABc\n")
    assert read.first("T") == "The Ranting Highlandman."
    assert read.fields["T"] == ["", "The Ranting Highlandman.", "The White Cockade"]
    assert read.first("R", "none told") == "none told"


def test_fields_words_and_comments_among_the_notes_are_not_played():
    music = "CD % EF\nw: A-men A-men\nN: bag face\nP:A\nEF"
    assert pitches(music) == [60, 62, 64, 65]


def test_a_line_that_begins_with_a_note_and_a_bar_is_music():
    assert pitches("G:|\nA||") == [67, 69]


def test_key_and_unit_change_inside_the_music():
    read = tune("F[K:G]F[L:1/8]F\nK:F\nB")
    assert read.pitches == [65, 66, 66, 70]
    assert read.durations == [1, 1, 0.5, 0.5]
    assert read.key == "C major"


def test_the_unit_comes_from_the_metre_when_no_field_tells_it():
    assert read_tune("X:1\nM:2/4\nK:C\nC\n").durations == [0.25]
    assert read_tune("X:1\nM:6/8\nK:C\nC\n").durations == [0.5]
    assert read_tune("X:1\nM:C|\nK:C\nC\n").durations == [0.5]


@pytest.mark.parametrize(
    ("text", "metre"), [("C", "4/4"), ("C|", "2/2"), ("6/8", "6/8"), ("FREI4/4", "4/4"), ("none", "none"), ("", "none")]
)
def test_metres_are_fractions(text: str, metre: str):
    assert read_metre(text) == metre


# --- Keys


@pytest.mark.parametrize(
    ("text", "name", "altered"),
    [
        ("C", "C major", ""),
        ("G", "G major", "F#"),
        ("E", "E major", "F# C# G# D#"),
        ("Bb", "Bb major", "Bb Eb"),
        ("Em", "E minor", "F#"),
        ("E Minor", "E minor", "F#"),
        ("EMin", "E minor", "F#"),
        ("Gm", "G minor", "Bb Eb"),
        ("F#m", "F# minor", "F# C# G#"),
        ("A Mixolydian", "A mixolydian", "F# C#"),
        ("Ador", "A dorian", "F#"),
        ("Bphr", "B phrygian", "F#"),
        ("Glyd", "G lydian", "F# C#"),
        ("Bloc", "B locrian", ""),
        ("D mix =c", "D mixolydian", "F# C="),
        ("D ^g", "D major", "F# C# G#"),
        ("Hp", "A mixolydian", "F# C#"),
        ("none", "none", ""),
        ("", "none", ""),
    ],
)
def test_keys_with_modes_and_accidentals(text: str, name: str, altered: str):
    signs = {1: "#", -1: "b", 0: "="}
    read_name, read_altered = read_key(text)
    assert read_name == name
    assert {letter + signs[alter] for letter, alter in read_altered.items()} == set(altered.split())


def test_a_key_with_more_than_seven_sharps_has_double_sharps():
    assert read_key("G#")[1] == {"F": 2, "C": 1, "G": 1, "D": 1, "A": 1, "E": 1, "B": 1}


@pytest.mark.parametrize("text", ["H", "Bn", "Es", "?"])
def test_an_unknown_key_makes_a_tune_unreadable(text: str):
    with pytest.raises(UnreadableTune, match=f"unknown key '{text}'".replace("?", r"\?")):
        read_key(text)


# --- Pitches


def test_letters_and_octave_marks():
    assert pitches("C, C c c' c'' B,,") == [48, 60, 72, 84, 96, 47]


def test_the_key_alters_letters_in_every_octave():
    assert pitches("F f c C,", key="D") == [66, 78, 73, 49]


def test_an_accidental_holds_to_the_end_of_the_bar_in_every_octave():
    assert pitches("^F F f =f F | F") == [66, 66, 78, 77, 65, 65]


def test_double_accidentals():
    assert pitches("^^C __D") == [62, 60]


def test_a_chord_gives_its_top_note_and_the_time_of_its_first():
    read = tune("[CEG]2 [c2E2] ['3'A".replace("'3'", '"3"') + "c]")
    assert read.pitches == [67, 72, 72]
    assert read.durations == [2, 2, 1]


# --- Durations


def test_lengths_are_multiples_and_parts_of_the_unit():
    assert durations("C C2 C/ C// C/4 C3/2 C3/") == [1, 2, 0.5, 0.25, 0.25, 1.5, 1.5]


def test_a_dotted_pair_takes_from_one_note_what_it_gives_the_other():
    assert durations("C>D C<D C>>D C2>D2") == [1.5, 0.5, 0.5, 1.5, 1.75, 0.25, 3, 1]


def test_a_grace_note_may_stand_inside_a_dotted_pair():
    assert durations("C>{d}D") == [1.5, 0.5]


def test_a_triplet_has_three_notes_in_the_time_of_two():
    assert durations("(3CDE F") == pytest.approx([2 / 3, 2 / 3, 2 / 3, 1])
    assert durations("(3:2:2C2D E") == pytest.approx([4 / 3, 2 / 3, 1])
    assert durations("(5CDEFG", metre="6/8") == pytest.approx([0.6] * 5)
    assert durations("(5CDEFG", metre="2/4") == pytest.approx([0.4] * 5)


def test_tied_notes_are_one_note():
    read = tune("C2-|C D-E")
    assert read.pitches == [60, 62, 64]
    assert read.durations == [3, 1, 1]


def test_a_tie_takes_an_accidental_over_the_bar_line_and_no_further():
    read = tune("^F2-|F F [C^F]-|[CF] f-|=f F")
    assert read.pitches == [66, 65, 66, 77, 65]
    assert read.durations == [3, 1, 2, 2, 1]
    assert pitches("=B-|B-|B B", key="F") == [71, 70]
    assert pitches("=B-|b-B", key="F") == [71, 82, 70]


def test_a_blank_line_ends_a_tune():
    assert read_tune("X:1\n\nK:C\nC\n% no end\nD\n \nE\n").pitches == [60, 62]


def test_rests_are_left_out_and_end_a_tie():
    read = tune("C-z C z>D z4 x2")
    assert read.pitches == [60, 60, 62]
    assert read.durations == [1, 1, 0.5]


def test_a_length_of_zero_makes_a_tune_unreadable():
    with pytest.raises(UnreadableTune, match="a length of zero"):
        tune("C0")


# --- What is left out


@pytest.mark.parametrize(
    "music",
    [
        '"Am"C "^slow"D "4"E',  # chord symbols, text, fingering
        "{cde}C {/a}D E",  # grace notes
        "!trill!C !>!D E",  # decorations
        ".C ~D TE",  # shorthand for decorations
        "uC vD HE",
        "(C (D) E)",  # slurs
        "C`D\\\nE",  # beams, continued lines
        "|:C|1 D:|2 E|]",  # repeats and endings are not unrolled
        "C[1 D:|[2 E||",
        "!C|D E!*",  # a line break of older ABC
        "C =20\nD=\nE",  # line ends of a mail program
        "[V:1]CD[V:2]GAB[V:1]E",  # the first voice is heard
        "V:1\nCDE\nV:2\nK:D\ngab",
        "CD\nV:2\ngab\nV:1\nE",
    ],
)
def test_what_is_no_note_is_passed_over(music: str):
    assert pitches(music) == [60, 62, 64]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("X:1\nT:No key\nCDEF\n", "no key"),
        ("X:1\nK:C\n", "no notes"),
        ("X:1\nK:C\nz4|z4\n", "no notes"),
        ("X:1\nK:C\nC 4D\n", "a length without a note"),
        ("X:1\nK:C\nC +D+\n", "a sign that is no music '\\+'"),
        ("X:1\nK:C\n[u]C\n", "brackets without notes"),
    ],
)
def test_a_tune_that_cannot_be_read_says_why(text: str, reason: str):
    with pytest.raises(UnreadableTune, match=reason):
        read_tune(text)


# --- The corpus


def make_wheel(path: Path, aird: str) -> Path:
    with zipfile.ZipFile(path, "w") as package:
        for book in corpus.BOOKS:
            text = aird if book.folder == "airdsAirs" else "X:1\nT:Other\nK:C\nCDEF\n"
            package.writestr(f"music21/corpus/{book.folder}/book.abc", text)
    return path


def test_tunes_that_cannot_be_read_are_kept_with_their_reasons(tmp_path: Path):
    aird = "X:1\nT:Good. \nT:Better\nK:G\nGABc\n\nX:2\nT:Bad\nK:H\nGABc\n\nX:3\nT:A Reel.\nR:\nK:C\nCEGc\n"
    read, unreadable = corpus.read_corpus(make_wheel(tmp_path / "corpus.whl", aird))
    assert [(s.title, s.kind, s.origin) for s in read[:2]] == [("Good", "", "Scotland"), ("A Reel", "reel", "Scotland")]
    assert read[1].abc == "X:3\nT:A Reel.\nR:\nK:C\nCEGc"
    assert [(tune.title, tune.reason) for tune in unreadable] == [("Bad", "unknown key 'H'")]


def test_a_package_without_tunes_is_refused(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "empty.whl", "w") as package:
        package.writestr("music21/corpus/airdsAirs/readme.txt", "")
    with pytest.raises(FileNotFoundError, match="has no tunes"):
        corpus.read_corpus(tmp_path / "empty.whl")


def test_a_package_file_that_was_cut_off_is_not_taken(tmp_path: Path):
    (tmp_path / f"music21-{corpus.VERSION}-py3-none-any.whl").write_bytes(b"PK")
    assert corpus.find_wheel(tmp_path) is None


def test_the_cache_folder_is_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SQLITE_ANN_DATA", str(tmp_path / "here"))
    assert corpus.cache_folder() == tmp_path / "here"
    assert (tmp_path / "here").is_dir()
    monkeypatch.delenv("SQLITE_ANN_DATA")
    if sys.platform == "linux":
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
        assert corpus.cache_folder() == tmp_path / "caches" / "sqlite_ann"
    monkeypatch.setitem(sys.modules, "platformdirs", None)
    with pytest.raises(ImportError, match=r"^the demo needs the package platformdirs: pip install"):
        corpus.cache_folder()


# --- Vectors


def test_words_are_three_intervals_without_and_with_rhythm():
    bare = (14 * 25 + 14) * 25 + 8  # +2 +2 -4, each plus 12
    longer_then_shorter = 3 * 2 + 0
    words = songs.words_of(song("c d e c", [60, 62, 64, 60], [1, 2, 1, 1]))
    assert words.tolist() == [bare, (1 + longer_then_shorter) * 25**3 + bare]


def test_a_melody_of_three_notes_has_no_word_and_a_zero_vector():
    melodies = [song("short", [60, 62, 64]), song("long", [60, 62, 64, 65, 67]), song("other", [60, 67, 60, 72, 48])]
    vectors = songs.make_vectors(melodies)
    assert vectors.shape == (3, 64)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([0, 1, 1], abs=1e-6)


def random_songs(n: int, seed: int) -> list[Song]:
    rng = np.random.default_rng(seed)
    melodies = 60 + rng.integers(-2, 3, size=(n, 60)).cumsum(axis=1)
    times = rng.choice([0.5, 1.0, 2.0], size=(n, 60))
    return [song(f"{i}", melodies[i].tolist(), times[i].tolist()) for i in range(n)]


def test_a_song_sung_higher_and_faster_has_the_same_vector():
    melodies = random_songs(40, seed=1)
    other = song("higher", [pitch + 5 for pitch in melodies[7].pitches], [time / 2 for time in melodies[7].durations])
    vectors = songs.make_vectors([*melodies, other])
    assert vectors[-1] == pytest.approx(vectors[7], abs=1e-5)


def test_vectors_are_the_same_each_time():
    melodies = random_songs(40, seed=2)
    assert np.array_equal(songs.make_vectors(melodies), songs.make_vectors(melodies))


def test_the_projection_keeps_what_the_singular_value_decomposition_keeps():
    rng = np.random.default_rng(3)
    matrix = (rng.standard_normal((60, 12)) @ rng.standard_normal((12, 40))).astype(np.float32)
    reduced = songs.reduce_dimensions(matrix, 12)
    assert np.linalg.norm(reduced, axis=1) == pytest.approx(np.linalg.norm(matrix, axis=1), rel=1e-4)
    assert reduced @ reduced.T == pytest.approx(matrix @ matrix.T, rel=1e-3, abs=1e-2)


def test_the_cache_gives_back_what_was_written(tmp_path: Path):
    melodies = [song('An "ö" song', [60, 62, 64, 65], [1, 2 / 3, 0.5, 2]), song("Other", [70, 60, 65, 64, 62])]
    unreadable = [corpus.Unreadable("a book", "a.abc", "Bad", "no notes")]
    written = songs.Collection(melodies, songs.make_vectors(melodies), unreadable)
    songs.write_cache(tmp_path / "songs.npz", written)
    read = songs.read_cache(tmp_path / "songs.npz")
    assert read is not None
    assert read.songs == melodies
    assert read.unreadable == unreadable
    assert np.array_equal(read.vectors, written.vectors)
    assert [path.name for path in tmp_path.iterdir()] == ["songs.npz"]


def test_a_cache_of_other_code_or_a_damaged_one_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "songs.npz"
    melodies = random_songs(3, seed=4)
    songs.write_cache(path, songs.Collection(melodies, songs.make_vectors(melodies), []))
    whole = path.read_bytes()
    for damaged in (b"", b"no zip", whole[: len(whole) // 2]):
        path.write_bytes(damaged)
        assert songs.read_cache(path) is None
    path.write_bytes(whole)
    assert songs.read_cache(path) is not None
    monkeypatch.setattr(songs, "code_digest", lambda: "other code")
    assert songs.read_cache(path) is None


@pytest.mark.data
def test_the_irish_washerwoman_of_one_book_is_near_that_of_another():
    if corpus.find_wheel(corpus.cache_folder()) is None:
        pytest.skip("the corpus is not in the cache: `make demo` fetches it")
    collection = songs.load()
    assert len(collection.songs) == 12_741
    assert len(collection.unreadable) == 21
    titles = [song.title for song in collection.songs]
    distance = 1 - collection.vectors @ collection.vectors[titles.index("The Irish Washerwoman")]
    nearest = [titles[i] for i in distance.argsort()[:4]]
    assert nearest[0] == "The Irish Washerwoman"
    assert "Irish Wash-Woman -- Jig" in nearest[1:]
