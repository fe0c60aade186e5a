"""A camera on the screen: what it sees, and everybody's expression, as it happens."""
