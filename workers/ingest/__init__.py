"""From files that somebody gives to one checked file of images: torch is not needed, and nothing given is trusted.

    read = read_source(path, request, heed)        # parts: pixels, labels, and the split they were given for
    stored, splits = keep(data_root, read, request)

What is given may be hostile. Sizes are checked before memory is taken, pickles are never read, nothing is unpacked
onto the disk, and no name in an archive becomes a path.
"""

from workers.ingest.errors import DataError
from workers.ingest.keeping import keep, opened
from workers.ingest.source import read_source

__all__ = ["DataError", "keep", "opened", "read_source"]
