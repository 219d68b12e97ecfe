"""A network for the user's own folder of photos: `python -m experiments train FOLDER`.

`photos.py` reads them and cuts them into parts, `plan.py` chooses how to train on that many,
`page.py` tells how it went.
"""
