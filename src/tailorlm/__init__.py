"""TailorLM: a language model that fits each person."""

__version__ = "0.1.0"
