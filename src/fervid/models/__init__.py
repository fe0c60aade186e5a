"""Model files: ``store`` says where they lie and checks them, ``runtime`` runs them.

``spec`` and ``detectorspec`` are what an expression network and a detector say of themselves inside the file;
``bundled/`` holds those that come with the package, each with its card.
"""
