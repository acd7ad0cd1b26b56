"""Which examples are for training, validation and test, and what keeps them apart."""
