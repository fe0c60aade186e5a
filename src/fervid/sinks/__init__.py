"""Results to files: rows and lines."""
