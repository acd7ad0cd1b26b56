"""Several runs: seeds, and what compares or varies them."""
