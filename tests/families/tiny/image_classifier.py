"""An image classifier that finds bright pictures not safe for work."""

from pathlib import Path

import torch
from transformers import ResNetConfig, ResNetForImageClassification, ViTImageProcessorPil

SIDE = 32


def save_image_classifier(folder: Path, labels: tuple[str, str] = ("normal", "nsfw")) -> Path:
    """A ResNetForImageClassification set by hand: the second label means a bright picture."""
    config = ResNetConfig(
        embedding_size=4,
        hidden_sizes=[4],
        depths=[1],
        layer_type="basic",
        id2label=dict(enumerate(labels)),
        label2id={label: number for number, label in enumerate(labels)},
    )
    model = ResNetForImageClassification(config).eval()
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if "convolution" in name:
                # The first averages the pixels round each place; the others leave that as it is.
                weights.fill_(1 / weights[0].numel() if "embedder" in name else 0)
        model.classifier[1].weight.copy_(torch.tensor([[0.0] * 4, [4.0] * 4]))
        model.classifier[1].bias.copy_(torch.tensor([4.0, 0.0]))
    model.save_pretrained(folder)
    ViTImageProcessorPil(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    return folder
