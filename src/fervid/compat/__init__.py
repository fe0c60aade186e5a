"""fervid with the manners of other packages: each module is called after the one it fits, none of which it needs.

fer: the class ``FER`` of the package of that name. sklearn: a classifier that follows scikit-learn's conventions.
"""
