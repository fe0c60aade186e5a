"""Films: uploads on disk, jobs in the database, each read by a process of its own.

``routes`` asks ``service``; ``uploads`` and ``folders`` know files, ``jobs`` and ``store`` rows, ``runner`` gives those
that wait to ``processes``, in which ``worker`` runs.
"""
