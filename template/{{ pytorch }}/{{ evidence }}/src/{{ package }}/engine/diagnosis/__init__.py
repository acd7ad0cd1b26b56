"""What is wrong with a run, by its record and by steps that are taken again."""
