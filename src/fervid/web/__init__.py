"""The web app: REST, WebSockets and pages on one's own machine; extra ``web``.

``app`` puts a server together and ``server`` runs it; ``films``, ``rooms`` and ``database`` are folders, the other
modules are a route each (``images``, ``live``, ``models``, ``health``, ``pages``) or a guard that every request passes.
"""
