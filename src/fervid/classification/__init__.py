"""From a picture and the square of a face to calibrated probabilities.

``preprocess`` makes the network's input, ``classifier`` runs it, ``calibration`` joins its two heads to one answer,
``evidence`` says where in the face that comes from, ``quality`` how readable the face is.
"""
