"""Associative recall: pairs to remember and questions about them."""
