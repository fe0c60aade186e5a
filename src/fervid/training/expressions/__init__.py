"""The expression network: ``config`` is a recipe, ``data`` the faces, ``network`` what learns, ``loop`` the run.

``augmentation`` changes faces (``degradation``, ``occluders``, ``mixing``), ``teachers`` are networks to learn from,
``export`` makes the file and checks it against torch.
"""
