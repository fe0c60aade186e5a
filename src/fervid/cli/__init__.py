"""The command line: one file per verb, which parses, calls and prints; none decides.

``app`` puts the verbs together; ``terminal`` says where text goes and what exit statuses mean, ``options`` spells the
options that several verbs take, ``inputs`` finds files; ``tables``, ``filmtable`` and ``batchtables`` print.
"""
