"""Makes the tokenizer and teaches the text encoder to read, then leaves it frozen for the denoiser.

python -m pipelines.training.scenes.train_text --minutes 5
"""

from __future__ import annotations

import argparse
import math
import random

import torch
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from pipelines.training.scenes import text
from pipelines.training.scenes.captions import caption
from pipelines.training.scenes.sampling import random_scene
from pipelines.training.scenes.state import Clock, Store

BATCH = 128
RATE = 2e-3
CHECKPOINT = "text.pt"
CURRICULUM = (1, 2, 2, 3)  # things in a caption, drawn evenly: harder than the denoiser's, as words are cheap
MADE_BY = "python -m pipelines.training.scenes.train_text"


def tokenizer_of(store: Store) -> CLIPTokenizer:
    """The store's tokenizer, made and saved at the first call."""
    folder = store.path("tokenizer")
    if not folder.exists():
        text.build_tokenizer().save_pretrained(folder)
    return CLIPTokenizer.from_pretrained(folder)


def trained_encoder(store: Store, tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """The text encoder as it last was, frozen."""
    reader = text.Reader(text.build(tokenizer))
    reader.load_state_dict(store.require(CHECKPOINT, MADE_BY)["model"])
    return reader.encoder.eval().requires_grad_(False)


def batch(tokenizer: CLIPTokenizer, dice: random.Random, count: int = BATCH) -> tuple[Tensor, Tensor]:
    """(count, TOKENS) ids of fresh captions, and (count, 13) class numbers of their scenes' parts."""
    scenes = [random_scene(dice, dice.choice(CURRICULUM)) for _ in range(count)]
    captions = [caption(scene, dice).text for scene in scenes]
    return text.tokens(tokenizer, captions), torch.tensor([text.parts(scene) for scene in scenes])


def train(store: Store, minutes: float, threads: int) -> None:
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    tokenizer = tokenizer_of(store)
    reader = text.Reader(text.build(tokenizer)).train()
    optimizer = torch.optim.AdamW(reader.parameters(), lr=RATE, weight_decay=0.01)
    state = store.load(CHECKPOINT) or {}
    if state:
        reader.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
    clock, step = Clock(minutes * 60, state.get("spent", 0.0)), state.get("step", 0)
    dice = random.Random(step + 100)
    while clock.share < 1:
        for group in optimizer.param_groups:
            group["lr"] = (
                RATE
                * min(1, (step + 1) / 100)
                * (0.02 + 0.98 * (0.5 + 0.5 * math.cos(math.pi * clock.share)))
            )
        loss = reader.loss(*batch(tokenizer, dice))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(reader.parameters(), 1.0)
        optimizer.step()
        step += 1
        if step % 200 == 0 or clock.share >= 1:
            store.log("text", step=step, seconds=clock.spent, loss=loss.item(), read=read(reader, tokenizer))
            saved = {"model": reader.state_dict(), "optimizer": optimizer.state_dict()}
            store.save(CHECKPOINT, {**saved, "step": step, "spent": clock.spent})


@torch.no_grad()
def read(reader: text.Reader, tokenizer: CLIPTokenizer) -> float:
    """Share of unseen captions whose every name, colour, place and background the last token tells.

    Sizes are left out: most captions do not say them.
    """
    ids, parts = batch(tokenizer, random.Random(9), 512)
    right = torch.stack([logits.argmax(1) for logits in reader(ids)[0]], 1) == parts
    size_of_slot = [slot * len(reader.FIELDS) + 3 for slot in range(text.SLOTS)]
    right[:, size_of_slot] = True
    return right.all(1).float().mean().item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--store", default="var/scenes")
    chosen = parser.parse_args()
    train(Store(chosen.store), chosen.minutes, chosen.threads)


if __name__ == "__main__":
    main()
