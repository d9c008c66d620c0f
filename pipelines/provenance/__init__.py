"""Marks that say, for machines, that a file was generated: an invisible watermark and a signed C2PA manifest.

`media.write` is given a `Marks` and calls it for every output; it knows nothing of what the marks are.
"""

from pipelines.provenance.marks import NO_MARKS, Marks, NoMarks

__all__ = ["NO_MARKS", "Marks", "NoMarks"]
