"""torch.utils's place for `data`."""

from minigrad.hints import module_getattr

__getattr__ = module_getattr(__name__)
