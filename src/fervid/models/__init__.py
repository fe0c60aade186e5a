"""Model files: what they say of themselves, where they lie, how they run."""
