"""Learning rates that change while training: call `step()` after each `optimizer.step()`.

    warm_up = LinearLR(optimizer, start_factor=0.1, total_iters=5)
    schedule = SequentialLR(optimizer, [warm_up, CosineAnnealingLR(optimizer, 95)], milestones=[5])

Several schedulers can drive one optimizer, one after the other at each step. Some go on from the
rates that the groups have, whoever set them, and so multiply with others; the others compute the
rates from the number of steps and nothing else. A step of OneCycleLR is a batch. A step of the
others is whatever you call `step()` after, which is usually an epoch. Names, formulas and defaults
are torch's.
"""

from minigrad.hints import module_getattr
from minigrad.optim.lr_scheduler.base import LRScheduler
from minigrad.optim.lr_scheduler.combined import (ChainedScheduler, ReduceLROnPlateau,
                                                  SequentialLR)
from minigrad.optim.lr_scheduler.formulas import (ConstantLR, CosineAnnealingLR,
                                                  CosineAnnealingWarmRestarts, ExponentialLR,
                                                  LambdaLR, LinearLR, MultiplicativeLR,
                                                  MultiStepLR, PolynomialLR, StepLR)
from minigrad.optim.lr_scheduler.one_cycle import OneCycleLR

__all__ = [name for name in dir() if name[0].isupper()]
__getattr__ = module_getattr(__name__)
