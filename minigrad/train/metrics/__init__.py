"""Figures over a whole data set, added up batch by batch, and the weight of each batch in them."""

from minigrad.train.metrics.confusion import F1, ClassShare, ConfusionMatrix, Precision, Recall
from minigrad.train.metrics.metrics import (Accuracy, MeanLoss, Metric, TopK, compute_all,
                                            new_meters, wilson)
from minigrad.train.metrics.weighing import denominator, ignored_target, is_sum, shares
