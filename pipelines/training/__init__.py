"""Scripts that train the house models from nothing. No other package imports them."""
