"""The confined child of `media_check`: decodes one untrusted file, and writes what it decoded anew."""
