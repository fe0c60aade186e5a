"""Where the faces are: ``faces``, ``yunet`` and ``haar`` answer alike (``detector``); ``selection`` chooses one.

``network`` runs those that are networks, in the ``passes`` that a picture's size asks for; ``decoding`` reads their
outputs. ``framing`` and ``alignment`` make of a box the square that the expression network knows.
"""
