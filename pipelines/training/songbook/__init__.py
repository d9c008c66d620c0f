"""The songbook: pieces composed by rule, and the networks that learn to write such pieces from them."""
