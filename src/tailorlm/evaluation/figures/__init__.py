"""Figures of the report, one a file: a module with `FIGURE` is drawn, and nothing else names it (docs/report.md)."""
