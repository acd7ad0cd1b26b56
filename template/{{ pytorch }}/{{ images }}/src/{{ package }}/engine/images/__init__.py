"""Images of a person's own: found, decoded to one size, grouped, and split."""
