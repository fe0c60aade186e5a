"""Films and cameras in, films out, with PyAV (FFmpeg; extra ``video``).

``reading`` gives a film's frames and ``camera`` a camera's latest picture, upright, as RGB, with their own times;
``writing`` makes films, with the sound of another. The rest is how: ``library`` opens, ``decoding`` decodes.
"""
