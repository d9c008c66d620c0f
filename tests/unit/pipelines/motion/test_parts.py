"""The motion model's parts: what is taken over from the scenes model stays as it was until it is trained."""

import torch
from transformers import CLIPTextModel, CLIPTokenizer

from pipelines.families._motion_unet import cosines
from pipelines.training.motion import foresight, text
from pipelines.training.motion.learner import SCENES
from pipelines.training.motion.parts import alone, apart, begun, showing
from pipelines.training.motion.paths import MIDDLE, Moment, path
from pipelines.training.motion.world import SIZE, Clip


def test_new_words_are_tokens_and_old_ones_keep_their_numbers():
    old = CLIPTokenizer.from_pretrained(SCENES, subfolder="tokenizer")
    new = text.extended(old)

    assert new("a red circle on the left").input_ids == old("a red circle on the left").input_ids
    assert len(new.tokenize("moving upwards, blinking, in watercolour")) == 7
    vocabulary = new.get_vocab()
    assert all(vocabulary[token] == number for token, number in old.get_vocab().items())


def test_a_grown_encoder_reads_old_words_as_before():
    old = CLIPTokenizer.from_pretrained(SCENES, subfolder="tokenizer")
    encoder = CLIPTextModel.from_pretrained(SCENES, subfolder="text_encoder")
    new = text.extended(old)
    grown = text.grown(encoder, old, new)

    ids = text.tokens(new, ["a blue house above a red boat, at night"])

    with torch.inference_mode():
        assert torch.equal(grown(ids).last_hidden_state, encoder(ids).last_hidden_state)


def test_weights_go_apart_and_come_together():
    model = begun(SCENES)
    unet, adapter, clock = apart(model.state_dict(), SCENES)

    turning = {f"clock.{name}": value for name, value in clock.state_dict().items()}
    whole = {**unet.state_dict(), **adapter.state_dict(), **turning}

    assert whole.keys() == model.state_dict().keys()
    assert all(torch.equal(whole[name], value) for name, value in model.state_dict().items())


def test_some_frames_are_told_their_own_moments():
    torch.manual_seed(0)
    model = begun(SCENES).eval()
    torch.nn.init.normal_(model.clock.turn.weight)
    words, noise = torch.randn(1, 8, 128).repeat(16, 1, 1), torch.randn(1, 8, 16, 16, 16)
    shown = torch.tensor([2, 5, 11])
    with torch.inference_mode():
        whole = model(noise, 400, words).sample
        with showing(model, shown):
            part = model(noise[:, :, shown], 400, words[:3]).sample
        assert (whole[:, :, shown] - part).abs().max() < 1e-4, "layers for motion change nothing yet"
        again = model(noise, 400, words).sample
    assert torch.equal(whole, again), "it is left as it was"


def test_the_first_cosine_is_one_and_the_others_have_no_mean():
    waves = cosines(torch.arange(16), 8)

    assert torch.equal(waves[:, 0], torch.ones(16))
    assert waves[:, 1:].mean(0).abs().max() < 1e-6


def test_frames_that_are_made_alone_do_not_see_each_other():
    torch.manual_seed(0)
    model = begun(SCENES).eval()
    for name, weight in model.named_parameters():
        if "motion_modules" in name and "proj_out" in name:
            torch.nn.init.normal_(weight)
    words, noise = torch.randn(1, 8, 128).repeat(3, 1, 1), torch.randn(1, 8, 3, 16, 16)
    other = torch.cat([noise[:, :, :2], torch.randn(1, 8, 1, 16, 16)], 2)
    with torch.inference_mode():
        together = [model(each, 400, words).sample[:, :, :2] for each in (noise, other)]
        with alone(model):
            apart = [model(each, 400, words).sample[:, :, :2] for each in (noise, other)]

    assert torch.allclose(*apart, atol=1e-5)
    assert not torch.allclose(*together, atol=1e-2)


def test_a_moment_is_told_by_still_captions_words():
    known = ["middle", "left", "right", "top", "bottom", "small", "big", "after", "gone"]
    blinking = path(Clip("star", "green", "blinking", "blue", "left"))
    seen, gone = (
        [share for name, share in zip(known, foresight._mix(blinking[i], known), strict=True) if share]
        for i in (0, 4)
    )
    half = foresight._mix(Moment(MIDDLE + foresight.REACH / 2, MIDDLE, SIZE), known)

    assert len(seen) == 1
    assert gone == [1.0]
    assert dict(zip(known, half, strict=True))["right"] == 0.5
    assert sum(half) == 0.5
