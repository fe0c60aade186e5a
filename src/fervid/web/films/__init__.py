"""Films: uploads on disk, jobs in the database, each read by a process of its own."""
