"""The page on image pyramids: `python -m experiments pyramids [IMAGE]`.

Nine teaching pictures, a blend, and a photograph rebuilt from its 1x1 top upwards. Every number
that a picture shows is measured here, and those that do not depend on the photograph are compared
with what is written of them. `page.py` puts together what the other modules, one topic each, say.
"""
