"""What is put into the prompt beside the query: one file a context, found by its name."""
