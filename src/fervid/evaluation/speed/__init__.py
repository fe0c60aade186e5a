"""How fast fervid is on this machine: what a user waits for, and how much of the machine is used.

``benchmark`` measures, in fresh processes (``processes``, ``worker``) that hold one of the ``subjects`` each;
``records`` are the figures, ``sheets`` the tables that show them.
"""
