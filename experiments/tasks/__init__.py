"""The five tasks of the coursework, on two sets of photos of the same seven breeds of dog.

Without `--data` the photos are the stand-in's, drawn by `experiments/standin`: the same code then
tells the same story, and every table and figure says whose photos it is about. `recipe.py` holds
the recipe of the training, `photos.py` finds the photos, `training.py` trains, `scores.py` counts.
"""
