"""Success in the benchmark's tasks, with intervals, before and after the fine-tuning."""
