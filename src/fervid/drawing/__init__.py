"""Pictures of results: ``annotation``, ``emojification`` and ``evidence`` on photos, ``timeline`` for films, ``emoji``.

All draw on a copy, with Pillow (``canvas``); timelines with matplotlib or as a page. ``palette`` has every
expression's colour; ``placement`` keeps labels off faces and off one another.
"""
