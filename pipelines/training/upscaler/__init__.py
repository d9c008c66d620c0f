"""The upscaler: scenes drawn large, reduced, and made large again."""
