"""The scenes model: small cut-paper pictures of named things, in named colours, at named places."""
