"""What happened in each epoch: `History`, and its curves."""

from minigrad.train.history.history import History, flatten
