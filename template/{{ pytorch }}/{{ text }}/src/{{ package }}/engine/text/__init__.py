"""Text: files, tokens, splits by document, baselines, metrics in bits per byte, generation."""
