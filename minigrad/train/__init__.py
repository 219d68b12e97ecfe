"""Training: fit and evaluate, metrics, run folders, checkpoints that resume to the same bits.

    history = fit(model, train, valid, epochs=10, optimizer=SGD(model.parameters(), lr=0.01),
                  folder="runs/first", resume=True)
    figures = evaluate(model, test)         # {"loss": ..., "accuracy": ...}
"""

from minigrad.train.callbacks import CSVLogger, TensorBoardLogger
from minigrad.train.evaluate import evaluate
from minigrad.train.fit import fit
from minigrad.train.folder import NotSavedError, RunFolder
from minigrad.train.guard import NonFiniteError
from minigrad.train.history import History
from minigrad.train.lr_finder import RangeTest, find_lr
from minigrad.train.metrics import (F1, Accuracy, ConfusionMatrix, MeanLoss, Metric, Precision,
                                    Recall, TopK, denominator, wilson)
from minigrad.train.run import Run
from minigrad.train.tuning import freeze, param_groups, unfreeze
