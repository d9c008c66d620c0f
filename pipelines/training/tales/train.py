"""Trains the tales model and writes it as a transformers folder; resumes from its checkpoint.

python -m pipelines.training.tales.train --minutes 12
python -m pipelines.training.tales.train --export pipelines/house/tales
"""

from __future__ import annotations

import argparse
import json
import math
import random
from pathlib import Path

import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from pipelines.training.scenes.state import Clock, Store
from pipelines.training.tales.compose import CHARACTERS, is_tale, tale

VOCABULARY = 1200  # byte-level tokens: enough for nearly every word of the tales
CONTEXT = 256  # tokens; a tale has at most about 200
BATCH = 16
RATE = 2e-3
START, END, PAD = "<|start|>", "<|end|>", "<|pad|>"
CHECKPOINT = "tales.pt"
OPENINGS = ("Once there was a", "Once upon a time there was a", "There once was a")
LARGEST = 5_000_000  # bytes the exported folder may take


def build_tokenizer(seed: int = 0) -> PreTrainedTokenizerFast:
    """A byte-level BPE over composed tales; every text is started with START."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    dice = random.Random(seed)
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[PAD, START, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    inner.train_from_iterator((tale(dice) for _ in range(5000)), trainer)
    start = inner.token_to_id(START)
    inner.post_processor = processors.TemplateProcessing(
        single=f"{START} $A", special_tokens=[(START, start)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        bos_token=START,
        eos_token=END,
        pad_token=PAD,
        model_max_length=CONTEXT,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


def build(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """An untrained model of about 1.6 million weights, embeddings shared with the output."""
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=160,
            intermediate_size=448,
            num_hidden_layers=4,
            num_attention_heads=4,
            max_position_embeddings=CONTEXT,
            tie_word_embeddings=True,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def batch(tokenizer: PreTrainedTokenizerFast, dice: random.Random) -> tuple[Tensor, Tensor]:
    """(BATCH, longest) ids of fresh tales, padded on the right, and labels in which padding is -100."""
    texts = [tale(dice) + END for _ in range(BATCH)]
    ids = tokenizer(texts, padding=True, padding_side="right", return_tensors="pt").input_ids
    return ids, ids.masked_fill(ids == tokenizer.pad_token_id, -100)


class Training:
    """The model, its optimizer, and how far it has come."""

    def __init__(self, store: Store, minutes: float) -> None:
        torch.manual_seed(0)
        self.store, self.tokenizer = store, build_tokenizer()
        self.model = build(self.tokenizer)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=RATE, betas=(0.9, 0.95), weight_decay=0.05
        )
        self.step, spent = 0, 0.0
        state = store.load(CHECKPOINT)
        if state:
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.step, spent = state["step"], state["spent"]
        self.clock = Clock(minutes * 60, spent)
        self.dice = random.Random(self.step + 1)

    def one_step(self) -> float:
        fall = 0.02 + 0.98 * (0.5 + 0.5 * math.cos(math.pi * self.clock.share))
        for group in self.optimizer.param_groups:
            group["lr"] = RATE * min(1, (self.step + 1) / 100) * fall
        ids, labels = batch(self.tokenizer, self.dice)
        loss = self.model(input_ids=ids, labels=labels).loss
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        return loss.item()

    def save(self) -> None:
        state = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        self.store.save(CHECKPOINT, {**state, "step": self.step, "spent": self.clock.spent})


def train(store: Store, minutes: float, threads: int) -> None:
    torch.set_num_threads(threads)
    training = Training(store, minutes)
    training.model.train()
    while training.clock.share < 1:
        loss = training.one_step()
        if training.step % 50 == 0 or training.clock.share >= 1:
            store.log("tales", step=training.step, seconds=training.clock.spent, loss=loss)
            training.save()
    share = whole_tales(training.model, training.tokenizer, 100)
    store.log("tales told", step=training.step, whole=share)


def told(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, prompts: list[str], seed: int
) -> list[str]:
    """A sampled tale for each prompt, which it begins with."""
    torch.manual_seed(seed)
    rows = tokenizer(prompts, padding=True, padding_side="left", return_tensors="pt")
    out = model.eval().generate(
        input_ids=rows.input_ids,
        attention_mask=rows.attention_mask,
        max_length=CONTEXT,
        do_sample=True,
        temperature=0.7,
    )
    return tokenizer.batch_decode(out, skip_special_tokens=True)


def whole_tales(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, count: int) -> float:
    """Share of sampled tales that end, and in which what is wished for is what is found."""
    dice = random.Random(3)
    animals = [name for name in CHARACTERS if name[0] not in "aeiou"]
    prompts = [f"{dice.choice(OPENINGS)} {dice.choice(animals)}" for _ in range(count)]
    return sum(map(is_tale, told(model, tokenizer, prompts, seed=0))) / count


def export(store: Store, folder: Path) -> None:
    """float16 safetensors, the tokenizer, the recipe and the log."""
    training = Training(store, 1)
    if training.step == 0:
        raise FileNotFoundError(f"{store.path(CHECKPOINT)} is not there yet: train first.")
    training.model.half().save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    config["dtype"] = "float32"  # what a plain load computes in; the file itself is float16
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    training.tokenizer.save_pretrained(folder)
    recipe = {
        "scripts": "pipelines/training/tales",
        "order": ["train", "train --export"],
        "batch": BATCH,
        "rate": RATE,
        "vocabulary": VOCABULARY,
        "steps": training.step,
        "seconds": round(training.clock.before),
        "seeds": {"torch": 0, "tales": 1, "tokenizer": 0},
        "defaults": {"temperature": 0.7, "max_tokens": 220},
    }
    (folder / "recipe.json").write_text(json.dumps(recipe, indent=1) + "\n")
    (folder / "training_log.jsonl").write_text(store.path("log.jsonl").read_text())
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if size > LARGEST:
        raise ValueError(f"{folder} takes {size:,} bytes; this house model may take {LARGEST:,}.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=12)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--store", default="var/tales")
    parser.add_argument("--export", type=Path)
    chosen = parser.parse_args()
    store = Store(chosen.store)
    if chosen.export:
        export(store, chosen.export)
    else:
        train(store, chosen.minutes, chosen.threads)


if __name__ == "__main__":
    main()
