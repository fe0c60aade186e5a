"""What a server remembers between two starts: film jobs, and the operator's recorded statements."""
