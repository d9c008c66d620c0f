"""From an output to its files."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipelines.base import Output
from pipelines.errors import EngineError
from pipelines.media import metadata, pictures, scores, sounds, texts, videos
from pipelines.media.coherence import coherence
from pipelines.outputs import File, Sound, Video
from pipelines.provenance import NO_MARKS, Marks

Format = TypeVar("Format")


def write(
    output: Output, folder: Path, provenance: Mapping[str, Any], inputs: Any, marks: Marks = NO_MARKS
) -> list[File]:
    """Write `output` into `folder`, in the `format` that `inputs` name, and what is derived from it.

    `provenance` (prompt, model, revision, job, …) is put into the files' metadata, the seed added; `marks`
    marks what has role `output`.
    """
    writing = Writing(output, folder, provenance, inputs, marks)
    match output.value:
        case str() as text:
            return writing.text(text)
        case Video() as video:
            return writing.video(video)
        case Sound() as sound:
            return writing.sound(sound)
        case picture:
            return writing.picture(picture.convert("RGB"))


@dataclass(frozen=True)
class Writing:
    """One output on its way to files; the methods return them, the output itself first."""

    output: Output
    folder: Path
    provenance: Mapping[str, Any]
    inputs: Any
    marks: Marks

    def text(self, text: str) -> list[File]:
        """`{i}.txt`, or named by the language of the code."""
        data = text.encode()
        path = self._path(texts.suffix(getattr(self.inputs, "language", "")))
        path.write_bytes(data)
        return [self._file(path, "text/plain", hashlib.sha256(data).hexdigest())]

    def picture(self, picture: Image.Image) -> list[File]:
        """The picture and its thumbnail."""
        form = self._format(pictures.FORMATS)
        sample = hashlib.sha256(picture.tobytes()).hexdigest()
        path = self._path(form.suffix)
        marked = self.marks.on_picture(picture, self.provenance)
        path.write_bytes(form.encode(marked, self._history()))
        width, height = picture.size
        whole = self._marked(path, form.media_type, sample, width=width, height=height)
        return [whole, self._thumbnail(picture, sample)]

    def video(self, video: Video) -> list[File]:
        """The video, a thumbnail of its middle frame, and the extras that are asked for."""
        form = self._format(videos.FORMATS)
        if not len(video.frames):
            raise EngineError("The model made a video without frames.")
        heard = _checked(video.sound).samples if video.sound else None
        sample = _digest(video.frames, heard)
        path = self._path(form.suffix)
        rate = videos.write_video(video, path, form, self._history())
        width, height = videos.size(video, form)
        told = {**self.output.facts, "coherence": round(coherence(video.frames), 4)}
        whole = replace(self, output=replace(self.output, facts=told))._marked(
            path,
            form.media_type,
            sample,
            width=width,
            height=height,
            frames=len(video.frames),
            fps=round(float(video.fps), 6),
            duration_seconds=round(len(video.frames) / float(video.fps), 6),
            sample_rate=rate,
            channels=None if heard is None else heard.shape[1],
        )
        middle = Image.fromarray(video.frames[len(video.frames) // 2])
        return [whole, self._thumbnail(middle, sample), *self._extras(video, sample)]

    def sound(self, sound: Sound) -> list[File]:
        """The sound, a picture of its loudness, and its score if it has one."""
        form = self._format(sounds.FORMATS)
        sample = _digest(_checked(sound).samples)
        path = self._path(form.suffix)
        rate = sounds.write_sound(sound, path, form, self._history())
        whole = self._marked(
            path,
            form.media_type,
            sample,
            duration_seconds=round(len(sound.samples) / sound.rate, 6),
            sample_rate=rate,
            channels=sound.samples.shape[1],
        )
        files = [whole, self._waveform(sound, sample)]
        return [*files, self._score(sound.score)] if sound.score else files

    # What is derived from an output

    def _thumbnail(self, picture: Image.Image, sample: str) -> File:
        data, (width, height) = pictures.thumbnail(picture)
        path = self._path("thumbnail.webp")
        path.write_bytes(data)
        return self._derived("thumbnail", path, "image/webp", sample, width=width, height=height)

    def _waveform(self, sound: Sound, sample: str) -> File:
        path = self._path("waveform.webp")
        path.write_bytes(sounds.waveform(sound))
        width, height = sounds.WAVEFORM_SIZE
        return self._derived("thumbnail", path, "image/webp", sample, width=width, height=height)

    def _extras(self, video: Video, sample: str) -> list[File]:
        wanted = getattr(self.inputs, "extras", ())
        made = []
        if "gif" in wanted:
            made.append(self._gif(video, sample))
        if "frames" in wanted:
            path = self._path("frames.zip")
            videos.write_frames(video, path, self._history())
            made.append(self._derived("frames", path, "application/zip", sample, frames=len(video.frames)))
        return made

    def _gif(self, video: Video, sample: str) -> File:
        data, (width, height), frames = videos.gif(video, self._history())
        path = self._path("gif")
        path.write_bytes(data)
        return self._derived(
            "preview",
            path,
            "image/gif",
            sample,
            width=width,
            height=height,
            frames=frames,
            duration_seconds=round(len(video.frames) / float(video.fps), 2),
        )

    def _score(self, score: bytes) -> File:
        path = self._path("mid")
        path.write_bytes(scores.with_text(score, metadata.line(self._history())))
        return self._derived("score", path, "audio/midi", hashlib.sha256(score).hexdigest())

    # Files

    def _format(self, formats: Mapping[str, Format]) -> Format:
        name = self.inputs.format
        if name not in formats:
            made = type(self.output.value).__name__
            raise EngineError(f"The model's family made a {made}, which cannot be written as {name}.")
        return formats[name]

    def _path(self, suffix: str) -> Path:
        return self.folder / f"{self.output.index}.{suffix}"

    def _history(self) -> dict[str, str]:
        return metadata.history(self.output, self.provenance)

    def _marked(self, path: Path, media_type: str, sample: str, **facts: Any) -> File:
        self.marks.on_file(path, media_type, self.provenance)
        return self._file(path, media_type, sample, **facts)

    def _derived(self, role: str, path: Path, media_type: str, sample: str, **facts: Any) -> File:
        output = replace(self.output, role=role, facts={})
        return replace(self, output=output)._file(path, media_type, sample, **facts)

    def _file(self, path: Path, media_type: str, sample: str, **facts: Any) -> File:
        output = self.output
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return File(
            name=path.name,
            path=path,
            role=output.role,
            index=output.index,
            seed=output.seed,
            media_type=media_type,
            bytes=path.stat().st_size,
            sha256=digest,
            sample_sha256=sample,
            bucket=output.bucket,
            row=output.row,
            facts=dict(output.facts),
            **facts,
        )


def _checked(sound: Sound) -> Sound:
    """The sound, if it can be heard."""
    if not len(sound.samples):
        raise EngineError("The model made a sound without samples.")
    if not np.isfinite(sound.samples).all():
        raise EngineError("The model's numbers overflowed; another dtype may help.")
    return sound


def _digest(*arrays: NDArray[np.generic] | None) -> str:
    """Of what the model made, whatever the format of the file."""
    digest = hashlib.sha256()
    for array in arrays:
        if array is not None:
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
