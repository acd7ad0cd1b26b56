"""Sudoku: boards, puzzles, and how the model learns to solve them."""
