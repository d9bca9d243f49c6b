"""The demo: real songs in one database file, and what SQL can ask about them.

    run.py           builds songs.db and runs the examples          python -m sqlite_ann demo
    songs.py         melodies become vectors of 64 numbers
    corpus.py        where the songs come from
    abc_reader.py    reads ABC, the notation that they are written in

The questions are in `sql/examples/`, one a file; an installed package has them in `sqlite_ann/demo/examples/`.
It needs `platformdirs`: pip install 'sqlite_ann[demo]'
"""
