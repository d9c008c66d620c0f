"""Outputs as files, and files as inputs: pictures, videos, sounds, scores, texts. Needs no torch.

`write` makes the files of one output in the format that the request asks for, with what was derived from it.
The same output and provenance give the same bytes on machines with the same libraries. `read_…` give a family
what a request's files hold.
"""

from pipelines.media.metadata import MARK
from pipelines.media.origin import read_history
from pipelines.media.pictures import THUMBNAIL_SIDE, preview
from pipelines.media.reading import read_frames, read_mask, read_picture, read_sound, read_video
from pipelines.media.writing import write

__all__ = [
    "MARK",
    "THUMBNAIL_SIDE",
    "preview",
    "read_frames",
    "read_history",
    "read_mask",
    "read_picture",
    "read_sound",
    "read_video",
    "write",
]
