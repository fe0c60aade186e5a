"""People over time, by motion alone and in NumPy alone: nothing here could recognise anybody.

``tracker`` gives faces their numbers (``motion``, ``assignment``, ``waiting``), ``schedule`` and ``cuts`` say when to
look and when to forget, ``smoothing`` steadies the answers, ``summary`` counts them per person.
"""
