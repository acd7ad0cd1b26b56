"""What can be learned: Sudoku, associative recall, text."""
