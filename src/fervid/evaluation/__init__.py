"""How good a model is: ``metrics`` and the protocols that use them, then tables, figures and pages of the answers.

``evaluation``, ``comparison`` and ``robustness`` are of expression networks, ``detection`` of detectors; ``report``
and ``detection_report`` write folders. ``speed/`` is about how fast it all is.
"""
