"""The families of prompts in which tasks are asked: LaMP's official strings, and each paper's own."""
