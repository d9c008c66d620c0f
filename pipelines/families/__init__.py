"""Families that come with Atelier, one file each. Weights are local, so their libraries are kept offline."""

import os

# Here, because the libraries read it when they are first imported, and this runs before any family's file.
for _name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK"):
    os.environ[_name] = "1"
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # or each import says that torchvision is not there
os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")  # or a VAE of another class than usual is remarked on
