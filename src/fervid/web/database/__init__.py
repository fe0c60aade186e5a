"""What a server remembers between two starts: film jobs, and the operator's recorded statements.

``tables`` are SQLAlchemy's, changed by what is in ``migrations``; ``engine`` opens SQLite or PostgreSQL.
"""
