"""Optimizers on the options that PyTorch tests its own with, those of `optim_db`, and schedulers,
alone and in chains, step by step against PyTorch's."""

import itertools
import re
import warnings

import numpy as np
import pytest

from minigrad import Tensor, optim

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest")       # which the module of the options imports
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from torch.testing._internal.common_optimizers import optim_db

TOLERANCE = {"float32": 2e-6, "float64": 1e-12}
OPTIMIZERS = {      # the options of each that PyTorch tests, by its own descriptions
    "Adadelta": ["default", "non-default lr", "nonzero weight_decay", "maximize",
                 "maximize, weight_decay", "rho"],
    "Adagrad": ["default", "nonzero weight_decay", "maximize", "non-default lr",
                "initial_accumulator_value", "lr_decay", "Tensor lr"],
    "Adam": ["default", "non-default lr", "nonzero weight_decay", "maximize", "amsgrad"],
    "AdamW": ["default", "non-default lr", "nonzero weight_decay", "maximize", "amsgrad"],
    "RMSprop": ["default", "non-default lr", "nonzero weight_decay", "maximize", "centered",
                "maximize, weight_decay", "momentum",
                "maximize, centered, weight_decay, w/ momentum"],
    "SGD": ["default", "non-default lr", "tensor lr", "non-zero weight_decay", "momentum",
            "maximize", "dampening", "weight_decay w/ momentum", "nesterov"]}
SHAPES = [(3, 4), (4,), (), (2, 1, 2)]


def infos():
    return {info.optim_cls.__name__: info for info in optim_db}


def options_of(name):
    """{description: options} of PyTorch's cases, for the CPU."""
    return {case.desc: dict(case.kwargs) for case in infos()[name].optim_inputs_func(device="cpu")}


def plain(options):
    """The options as ours takes them."""
    return {key: Tensor(value.numpy()) if isinstance(value, torch.Tensor) else value
            for key, value in options.items()}


def test_the_optimizers_and_their_options_are_these():
    offered = {name for name, kind in vars(optim).items()
               if isinstance(kind, type) and issubclass(kind, optim.Optimizer)} - {"Optimizer"}
    assert set(OPTIMIZERS) == offered & set(infos()) == offered
    assert set(infos()) - offered == {"Adafactor", "Adamax", "ASGD", "LBFGS", "Muon", "NAdam",
                                      "RAdam", "Rprop", "SparseAdam"}
    for name, descriptions in OPTIMIZERS.items():
        assert list(options_of(name)) == descriptions


CASES = [(name, description) for name, all_of in OPTIMIZERS.items() for description in all_of]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name, description", CASES)
def test_ten_steps_as_torch(name, description, dtype):
    """A constant gradient would hide what amsgrad does; one parameter has none at first."""
    options, rng = options_of(name)[description], np.random.default_rng(0)
    start = [rng.normal(size=shape).astype(dtype) for shape in SHAPES]
    mine = [Tensor(a.copy(), requires_grad=True) for a in start]
    theirs = [torch.tensor(a, requires_grad=True) for a in start]
    ours = getattr(optim, name)(mine, **plain(options))
    other = getattr(torch.optim, name)(theirs, foreach=False, **options)
    for step in range(10):
        for i, (p, q) in enumerate(zip(mine, theirs)):
            g = (rng.normal(size=p.shape) * 3.0 ** -step).astype(dtype)
            if i or step > 1:
                p.grad, q.grad = Tensor(g.copy()), torch.tensor(g)
        ours.step(), other.step()
    for p, q in zip(mine, theirs):
        assert p.dtype == dtype
        np.testing.assert_allclose(p.numpy(force=True), q.detach().numpy(), TOLERANCE[dtype],
                                   TOLERANCE[dtype])
    saved, state = ours.state_dict()["state"], other.state_dict()["state"]
    for i, entries in state.items():
        entries = {key: value for key, value in entries.items() if value is not None}
        assert saved[i].keys() == entries.keys()
        for key, value in entries.items():
            np.testing.assert_allclose(saved[i][key], value, TOLERANCE[dtype], TOLERANCE[dtype])


ILLEGAL = {"lr": [-1e-9, float("nan")], "weight_decay": [-1e-9, float("nan")],
           "momentum": [-1e-9, float("nan")], "eps": [-1e-9, float("nan")],
           "betas": [(1.0, 0.9), (0.9, 1.0), (-0.1, 0.9), (0.9, -0.1), (float("nan"), 0.9)],
           "alpha": [-1e-9], "lr_decay": [-1e-9], "initial_accumulator_value": [-1e-9],
           "rho": [-1e-9, 1.0 + 1e-9]}
EDGES = {"lr": [0.0, 1e30], "weight_decay": [0.0, 10.0], "momentum": [0.0, 1.0, 1.5],
         "eps": [0.0, 1e30], "betas": [(0.0, 0.0), (1 - 2**-53, 1 - 2**-53)],
         "dampening": [-1.0, 2.0], "alpha": [0.0, 1.0, 1.5], "lr_decay": [0.0, 9.0],
         "initial_accumulator_value": [0.0, 1e30], "rho": [0.0, 1.0]}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_what_is_legal_is_what_is_legal_in_torch(name):
    def build(library, tensor, **options):
        return getattr(library, name)([tensor], **options)

    known = build(optim, Tensor([1.0], requires_grad=True)).defaults
    tried = 0
    for option, values in itertools.chain(ILLEGAL.items(), EDGES.items()):
        for value in values if option in known else ():
            outcomes = []
            for library, tensor in ((optim, Tensor([1.0], requires_grad=True)),
                                    (torch.optim, torch.ones(1, requires_grad=True))):
                try:
                    build(library, tensor, **{option: value})
                    outcomes.append("legal")
                except ValueError:
                    outcomes.append("illegal")
            expected = "legal" if value in EDGES.get(option, ()) else "illegal"
            assert outcomes[0] == expected, (option, value)
            assert outcomes[1] == expected or value != value, (option, value)   # SGD takes NaN
            tried += 1
    assert tried > 10


# ---- schedulers ----------------------------------------------------------------------------------

SCHEDULERS = {
    "StepLR": [{"step_size": 1}, {"step_size": 7, "gamma": 0.5}, {"step_size": 60, "gamma": 0.9},
               {"step_size": 3, "gamma": 1.1}],
    "CosineAnnealingLR": [{"T_max": 50}, {"T_max": 9, "eta_min": 0.01}, {"T_max": 1},
                          {"T_max": 2, "eta_min": 0.7}, {"T_max": 80, "eta_min": 1e-5}],
    "OneCycleLR": [{"max_lr": 1.0, "total_steps": 60}, {"max_lr": [0.5, 0.1], "total_steps": 51},
                   {"max_lr": 1, "epochs": 6, "steps_per_epoch": 10, "three_phase": True},
                   {"max_lr": 1, "total_steps": 70, "anneal_strategy": "linear", "pct_start": 0.5,
                    "cycle_momentum": False}],
    "LambdaLR": [{"lr_lambda": lambda epoch: 0.95 ** epoch},
                 {"lr_lambda": [lambda epoch: 1 / (1 + epoch), lambda epoch: epoch % 7]}],
    "MultiplicativeLR": [{"lr_lambda": lambda epoch: 0.95},
                         {"lr_lambda": [lambda epoch: 0.9, lambda epoch: 1 + epoch / 100]}],
    "MultiStepLR": [{"milestones": [9, 4]}, {"milestones": [3, 3, 40], "gamma": 0.5},
                    {"milestones": [0, 8]}, {"milestones": []}],
    "ConstantLR": [{}, {"factor": 0.5, "total_iters": 30}, {"factor": 1, "total_iters": 0}],
    "LinearLR": [{}, {"start_factor": 0.01, "total_iters": 40},
                 {"start_factor": 1.0, "end_factor": 0.0, "total_iters": 20},
                 {"start_factor": 0.5, "end_factor": 0.25, "total_iters": 3}],
    "ExponentialLR": [{"gamma": 0.9}, {"gamma": 1.02}],
    "PolynomialLR": [{}, {"total_iters": 80, "power": 2.0}, {"total_iters": 1}],
    "CosineAnnealingWarmRestarts": [{"T_0": 10}, {"T_0": 3, "T_mult": 2, "eta_min": 0.01},
                                    {"T_0": 1}, {"T_0": 200}]}
COMBINED = {"SequentialLR", "ChainedScheduler", "ReduceLROnPlateau"}    # further down
EACH = [(name, options) for name, all_of in SCHEDULERS.items() for options in all_of]
STEPS = {"OneCycleLR": 50}              # or it is at its end
OLDEST = ["StepLR", "CosineAnnealingLR", "OneCycleLR"]


def test_the_schedulers_are_these():
    offered = {name for name, kind in vars(optim.lr_scheduler).items()
               if isinstance(kind, type) and issubclass(kind, optim.lr_scheduler.LRScheduler)
               and not name.startswith("_")}
    assert set(SCHEDULERS) | COMBINED == offered - {"LRScheduler"}
    assert set(torch.optim.lr_scheduler.__all__) == offered | {"CyclicLR"}


def built(library, tensor, chain, kind="SGD"):
    """An optimizer with two groups, and the schedulers that drive it."""
    groups = [{"params": [tensor()]}, {"params": [tensor()], "lr": 0.5}]
    optimizer = getattr(library, kind)(groups, lr=0.1)
    if library is torch.optim:
        optimizer.step()
        optimizer._opt_called = True    # or the schedulers warn
    return optimizer, [getattr(library.lr_scheduler, name)(optimizer, **options)
                       for name, options in chain]


def follow(chain, steps=100, kind="SGD", at=None, change=None):
    """Both libraries with the same schedulers; after step `at` both optimizers are changed."""
    both = [built(optim, lambda: Tensor([1.0], requires_grad=True), chain, kind),
            built(torch.optim, lambda: torch.ones(1, requires_grad=True), chain, kind)]
    for step in range(steps):
        (mine, our), (theirs, their) = both
        assert len(mine.param_groups) == len(theirs.param_groups)
        for group, other in zip(mine.param_groups, theirs.param_groups):
            for option in group.keys() & {"lr", "momentum", "betas"}:
                assert group[option] == pytest.approx(other[option], 1e-11, 1e-13), step
        for a, b in zip(our, their):
            assert a.get_last_lr() == pytest.approx(b.get_last_lr(), 1e-11, 1e-13)
        if step == at:
            change(mine, lambda: Tensor([1.0], requires_grad=True))
            change(theirs, lambda: torch.ones(1, requires_grad=True))
        for schedulers in our, their:
            for scheduler in schedulers:
                scheduler.step()


def told(value):
    """As text, in which functions have no addresses: they differ from process to process."""
    return re.sub(r"<function <(\w+)> at \w+>", r"\1", str(value))


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
@pytest.mark.parametrize("name, options", EACH, ids=told)
def test_a_hundred_steps_as_torch(name, options, kind):
    follow([(name, options)], STEPS.get(name, 100), kind=kind)


def is_tried(first, second):
    """All pairs of the oldest, the first two options of the others; not OneCycleLR and another one
    after it, which share the limits of the second in torch."""
    shared = first[0] == second[0] == "OneCycleLR"
    return not shared and all(name in OLDEST or options in SCHEDULERS[name][:2]
                              for name, options in (first, second))


@pytest.mark.parametrize("second", EACH, ids=told)
def test_two_schedulers_chain_as_torchs(second):
    for first in EACH:
        if is_tried(first, second):
            follow([first, second], 50)


def by_hand(optimizer, tensor):
    optimizer.param_groups[0]["lr"] *= 0.3
    optimizer.param_groups[1]["lr"] = 0.7


def one_more(optimizer, tensor):
    optimizer.add_param_group({"params": [tensor()], "lr": 0.25})


@pytest.mark.parametrize("name, options", EACH, ids=told)
@pytest.mark.parametrize("at", [0, 5, 6, 30])
def test_rates_that_are_set_by_hand_go_on_as_in_torch(name, options, at):
    follow([(name, options)], 50, at=at, change=by_hand)


@pytest.mark.parametrize("options", SCHEDULERS["StepLR"], ids=told)
def test_a_group_that_is_added_is_stepped_as_in_torch(options):
    follow([("StepLR", options), ("StepLR", {"step_size": 2})], 50, at=4, change=one_more)


def test_a_group_that_is_added_follows_the_cosine_as_in_torch_until_that_fails():
    """Which it does at the lowest point, where it wants a base rate."""
    follow([("CosineAnnealingLR", {"T_max": 20, "eta_min": 0.01})], 20, at=4, change=one_more)
