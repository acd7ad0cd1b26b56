"""What is written about a run: results.json, figures, the model card."""
