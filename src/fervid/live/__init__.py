"""A camera on the screen: what it sees, and everybody's expression, as it happens.

``session`` shows in a ``window`` what ``view`` draws; ``reading`` answers in a thread beside, ``following`` moves the
answers to where faces are by now, ``recording`` makes a film of it.
"""
