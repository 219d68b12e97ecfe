"""Optimizers: from parameters and their gradients, one step downhill; torch's formulas, names.

    optimizer = SGD(model.parameters(), lr=0.1)
    schedule = lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=len(batches))
    for x, y in batches:
        optimizer.zero_grad()
        cross_entropy(model(x), y).backward()
        clip_grad_value_(model.parameters(), 0.1)
        optimizer.step()
        schedule.step()
"""

from minigrad.hints import module_getattr
from minigrad.optim import amp, lr_scheduler
from minigrad.optim.adam import Adam, AdamW
from minigrad.optim.adaptive import Adadelta, Adagrad, RMSprop
from minigrad.optim.clip import clip_grad_norm_, clip_grad_value_
from minigrad.optim.grad_scaler import GradScaler
from minigrad.optim.optimizer import Optimizer
from minigrad.optim.sgd import SGD

__all__ = [name for name in dir() if name[0].isupper()]
__all__ += ["amp", "clip_grad_norm_", "clip_grad_value_", "lr_scheduler"]
__getattr__ = module_getattr(__name__)
