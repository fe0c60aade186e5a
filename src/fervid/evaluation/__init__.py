"""How good a classifier is: measures, the protocol on a labelled split, and the report."""
