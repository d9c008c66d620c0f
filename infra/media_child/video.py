"""Video: several formats in, WebM with VP9 (and Opus, if there is sound) out."""

from collections.abc import Iterable
from fractions import Fraction
from typing import BinaryIO

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image, ImageFile  # noqa: F401 - Pillow imports the second when it needs it; confined it cannot

from infra.media_child.answer import Unfit, Written
from infra.media_child.limits import VIDEO_FRAME_PIXELS, VIDEO_FRAMES, VIDEO_PIXELS, VIDEO_SECONDS
from infra.media_child.sound import SoundGuard

SMALLEST_SIDE = 16  # pixels
TICK = Fraction(1, 1000)  # seconds; WebM's own clock
HIGHEST_RATE = 240  # frames a second
NOMINAL_RATE = 25  # frames a second, where the file says none; the frames' own times are what counts
BT709, BT601 = 1, 5  # FFmpeg's numbers: what is stored has the first as matrix, primaries and transfer
LIMITED = 1  # its number for the range of what is stored
MATRICES = (BT709, 4, BT601, 6, 7, 9)  # those that a picture may name
HD_LINES = 720  # what names none is taken for BT.709 from here on, as players do, and below for BT.601
WIDEST_PIXEL = 4  # times its height, or its height that of its width; what is beyond is a fault of the file
QUALITY = {"deadline": "realtime", "cpu-used": "8", "crf": "20", "b": "0", "row-mt": "0"}
OPUS_RATE = 48_000  # Hz
TURNS = {90: Image.Transpose.ROTATE_90, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_270}


def rewrite_video(
    source: InputContainer, stream: VideoStream, sound: AudioStream | None, target: BinaryIO
) -> Written:
    """Decode the picture, and the sound if there is one, completely, and write both as WebM."""
    pictures = PictureGuard(stream)
    sounds = SoundGuard(sound) if sound is not None else None
    recorder: Recorder | None = None
    early: list[
        AudioFrame
    ] = []  # sound that comes before the first picture, without which nothing is written
    with av.open(target, "w", format="webm", options={"fflags": "+bitexact"}) as output:
        for frame in source.decode(*([stream] if sound is None else [stream, sound])):
            if isinstance(frame, VideoFrame):
                picture = pictures.checked(frame)
                recorder = recorder or Recorder(output, picture, pictures.rate, sounds)
                recorder.show(picture)
            elif sounds is not None:
                sounds.admit(frame)
                early.append(frame)
            if recorder and sounds is not None:
                for piece in early:
                    recorder.hear(sounds.placed(piece, pictures.start))
                early.clear()
        if recorder is None:
            raise Unfit("The file holds no picture.")
        recorder.finish()
    return Written("video/webm", recorder.width, recorder.height, pictures.seconds, pictures.frames)


class PictureGuard:
    """Counts the frames of a stream, and gives each out upright, with its time in ticks from the first."""

    def __init__(self, stream: VideoStream) -> None:
        self.frames = 0
        self._size = (stream.codec_context.width, stream.codec_context.height)
        self._shown_size = _square(*self._size, stream.sample_aspect_ratio)
        told = stream.average_rate or stream.guessed_rate or NOMINAL_RATE
        self.rate = min(max(Fraction(told).limit_denominator(1001), Fraction(1)), Fraction(HIGHEST_RATE))
        self._start: float | None = None
        self._last = -1  # tick of the latest frame
        width, height = self._size
        if width < SMALLEST_SIDE or height < SMALLEST_SIDE or width * height > VIDEO_FRAME_PIXELS:
            bounds = f"sides of {SMALLEST_SIDE} pixels at least and {VIDEO_FRAME_PIXELS:,} pixels at most"
            raise Unfit(f"The video is {width} × {height}; it may have {bounds}.")
        stream.codec_context.options = {"max_pixels": str(VIDEO_FRAME_PIXELS)}

    @property
    def seconds(self) -> float:
        """Length of what has passed; the last frame is taken to stay as long as the others did."""
        gaps = max(1, self.frames - 1)
        return round(max(1, self._last) / gaps * self.frames / 1000, 3)

    @property
    def start(self) -> float:
        """The time of the first frame, in seconds."""
        return self._start or 0.0

    def checked(self, frame: VideoFrame) -> VideoFrame:
        """Unfit if the frame may not pass."""
        if (frame.width, frame.height) != self._size:
            raise Unfit("The video changes its size on the way.")
        self.frames += 1
        pixels = max(frame.width * frame.height, self._shown_size[0] * self._shown_size[1])
        if self.frames > VIDEO_FRAMES or self.frames * pixels > VIDEO_PIXELS:
            raise Unfit(
                f"The video is too long: {VIDEO_FRAMES:,} frames, and {VIDEO_PIXELS:,} pixels in all of them"
                " together, are accepted."
            )
        upright = _upright(frame, self._shown_size)
        upright.pts, upright.time_base = self._tick(frame), TICK
        return upright

    def _tick(self, frame: VideoFrame) -> int:
        if frame.time is None:
            raise Unfit("The video has frames without a time.")
        if self._start is None:
            self._start = frame.time
        self._last = max(self._last + 1, round((frame.time - self._start) / TICK))
        if self._last * TICK > VIDEO_SECONDS:
            raise Unfit(f"The video is longer than {VIDEO_SECONDS:g} seconds.")
        if self.frames > HIGHEST_RATE and self._last * TICK * HIGHEST_RATE < self.frames - 1:
            raise Unfit(f"The video has more than {HIGHEST_RATE} frames a second.")
        return self._last


class Recorder:
    """Writes pictures, and sound if there is some."""

    def __init__(
        self, output: OutputContainer, first: VideoFrame, rate: Fraction, sounds: SoundGuard | None
    ) -> None:
        self.width, self.height = first.width, first.height
        self._output = output
        self._picture = output.add_stream("libvpx-vp9", rate=rate, options=QUALITY)
        self._picture.width, self._picture.height = first.width, first.height
        self._picture.pix_fmt = "yuv420p"
        self._picture.codec_context.time_base = TICK
        self._picture.codec_context.colorspace = BT709
        self._picture.codec_context.color_primaries = self._picture.codec_context.color_trc = BT709
        self._picture.codec_context.color_range = LIMITED
        self._picture.codec_context.thread_count = 1  # a confined process can start no thread
        self._sound: AudioStream | None = None
        if sounds is not None:
            self._sound = output.add_stream("libopus", rate=OPUS_RATE, layout=sounds.stored_layout)

    def show(self, picture: VideoFrame) -> None:
        """The next picture."""
        self._output.mux(self._picture.encode(picture))

    def hear(self, frames: Iterable[AudioFrame]) -> None:
        """The next pieces of sound."""
        for frame in frames:
            if self._sound is not None:
                self._output.mux(self._sound.encode(frame))

    def finish(self) -> None:
        """Write what the encoders still hold."""
        self._output.mux(self._picture.encode(None))
        if self._sound is not None and self._sound.codec_context.is_open:
            self._output.mux(self._sound.encode(None))


def _square(width: int, height: int, pixel: Fraction | None) -> tuple[int, int]:
    """The size in which pixels that are `pixel` times as wide as high become square ones; no larger than may
    pass."""
    if not pixel or not Fraction(1, WIDEST_PIXEL) <= pixel <= WIDEST_PIXEL:
        return width, height
    for size in ((round(width * pixel), height), (width, round(height / pixel))):
        if min(size) >= SMALLEST_SIDE and size[0] * size[1] <= VIDEO_FRAME_PIXELS:
            return size
    return width, height


def _upright(frame: VideoFrame, size: tuple[int, int]) -> VideoFrame:
    """The frame as it is meant to be seen, in the format that is stored."""
    turn = TURNS.get(frame.rotation % 360)
    if not frame.format.is_rgb and frame.colorspace not in MATRICES:
        frame.colorspace = BT709 if frame.height >= HD_LINES else BT601
    width, height = size
    if turn is not None:
        image = frame.to_image(width=width, height=height, threads=1)  # type: ignore[no-untyped-call]
        frame = VideoFrame.from_image(image.transpose(turn))  # type: ignore[no-untyped-call]
        width, height = frame.width, frame.height
    return frame.reformat(
        width, height, format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG", threads=1
    )
