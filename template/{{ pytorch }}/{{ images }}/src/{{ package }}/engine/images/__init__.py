"""Images of a person's own: found, decoded once to one size, grouped, and split."""
