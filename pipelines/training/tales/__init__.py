"""The tales model: a small language model that tells very short tales."""
