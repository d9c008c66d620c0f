"""Music as notes: scores, the theory they keep to, the words a network writes them in, and their sound."""
