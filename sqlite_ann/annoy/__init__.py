"""Annoy's interface over tables of our own: programs change the line that imports, no more.

    >>> from sqlite_ann.annoy import AnnoyIndex
    >>> songs = AnnoyIndex(2, "euclidean")
    >>> for i, vector in enumerate([[0, 0], [3, 4], [6, 8]]):
    ...     songs.add_item(i, vector)
    >>> songs.build(10)
    True
    >>> songs.get_nns_by_vector([3, 3], 2, include_distances=True)
    ([1, 0], [1.0, 4.242640495300293])

| name                               | what for                                                             |
| ---------------------------------- | -------------------------------------------------------------------- |
| AnnoyIndex(f, metric)              | everything that annoy.AnnoyIndex does; `save` writes a database      |
| convert(source, target, metric)    | the vectors of an .ann file into the table `annoy` of a database     |
| export(db, table, target)          | a table of vectors as an .ann file, which Annoy opens and searches   |

docs/ANNOY.md says what each call is in SQL, and what is not as Annoy does it.
"""

from .convert import convert, export
from .index import AnnoyIndex

__all__ = ["AnnoyIndex", "convert", "export"]
