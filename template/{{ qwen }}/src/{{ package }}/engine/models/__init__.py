"""The base models: their shapes, where they come from, tiny random ones for tests, and merging what was trained."""
