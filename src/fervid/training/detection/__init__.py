"""The face detector: ``config`` is a recipe, ``data`` the photos, ``network`` what learns, ``loop`` the run.

``scenes`` composes pictures of photos under some ``light``, ``assignment`` says which cell answers for which face,
``losses`` what a wrong answer costs; ``export`` makes the file and checks it against torch.
"""
