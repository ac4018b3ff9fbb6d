"""What is asked and how an answer is judged: one file a task, found by its name; each exports `TASK`."""
