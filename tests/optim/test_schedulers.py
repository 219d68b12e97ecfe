"""Learning-rate schedules: golden numbers, PyTorch's curves, cycles too short for it, resuming."""

import json

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from minigrad import Tensor, optim
from minigrad.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR, StepLR
from tests.one_line import one_line


def leaf():
    return Tensor(np.ones(1), requires_grad=True)


def sgd(**options):
    return optim.SGD([leaf()], **options)


def two_groups(**options):
    return optim.SGD([{"params": leaf()}, {"params": leaf(), "lr": 0.5}], **options)


def curve(scheduler, steps, option="lr", group=0):
    """An option of a group before each of the first steps."""
    values = []
    for _ in range(steps):
        values.append(scheduler.optimizer.param_groups[group][option])
        scheduler.step()
    return values


# ---- golden numbers ------------------------------------------------------------------------------

@pytest.mark.parametrize("options, expected", [
    ({}, [.04, .52, 1.0, .9504846, .8117457, .611262, .388742, .1882583, .0495194, 4e-6]),
    ({"anneal_strategy": "linear"},
     [.04, .52, 1, .8571434, .7142869, .5714303, .4285737, .2857171, .1428606, 4e-6]),
    ({"three_phase": True},
     [.04, .52, 1, .52, .04, .0361807, .0261817, .0138223, .0038233, 4e-6])], ids=str)
def test_one_cycle_has_the_golden_numbers(options, expected):
    scheduler = OneCycleLR(sgd(lr=123.0), max_lr=1, total_steps=10, **options)
    np.testing.assert_allclose(curve(scheduler, 10), expected, rtol=0, atol=5.1e-8)


def test_momentum_cycles_the_other_way_even_if_there_was_none():
    momentum = curve(OneCycleLR(sgd(momentum=0.0), 1, 10), 10, "momentum")
    np.testing.assert_allclose(
        momentum, [.95, .9, .85, .855, .8688, .8889, .9111, .9312, .945, .95], rtol=0, atol=5.1e-5)


def test_adams_first_beta_cycles_and_the_second_stays():
    betas = curve(OneCycleLR(optim.Adam([leaf()], betas=(0.5, 0.99)), 1, 10), 10, "betas")
    assert [b1 for b1, _ in betas] == curve(OneCycleLR(sgd(), 1, 10), 10, "momentum")
    assert {b2 for _, b2 in betas} == {0.99}


def test_momentum_is_left_alone_on_request():
    assert set(curve(OneCycleLR(sgd(momentum=0.3), 1, 10, cycle_momentum=False),
                     10, "momentum")) == {0.3}


def test_the_steps_can_be_given_as_epochs_and_batches():
    assert (curve(OneCycleLR(sgd(), 1, epochs=3, steps_per_epoch=4), 12)
            == curve(OneCycleLR(sgd(), 1, total_steps=12), 12))


def test_groups_have_peaks_and_momentums_of_their_own():
    def scheduler():
        return OneCycleLR(two_groups(), max_lr=[1.0, 0.1], total_steps=10,
                          base_momentum=(0.85, 0.5), max_momentum=[0.95, 0.6])
    np.testing.assert_allclose(curve(scheduler(), 10, group=1),
                               np.multiply(curve(scheduler(), 10), 0.1), rtol=1e-12)
    momentum = curve(scheduler(), 10, "momentum", group=1)
    assert momentum[0] == 0.6 and momentum[2] == 0.5


def test_step_and_cosine_by_hand():
    assert curve(StepLR(sgd(lr=1.0), 2, gamma=0.5), 6) == [1, 1, 0.5, 0.5, 0.25, 0.25]
    np.testing.assert_allclose(curve(CosineAnnealingLR(sgd(lr=1.0), 4, eta_min=0.2), 6),
                               [1, 0.6 + 0.4 * 0.5**0.5, 0.6, 0.6 - 0.4 * 0.5**0.5, 0.2,
                                0.6 - 0.4 * 0.5**0.5], rtol=1e-12)
    scheduler = StepLR(two_groups(lr=1.0), 1)
    scheduler.step()
    assert scheduler.get_last_lr() == [0.1, 0.05]


# ---- PyTorch's curves ----------------------------------------------------------------------------

fraction = st.floats(0.01, 1)
ONE_CYCLE = st.fixed_dictionaries(
    {"max_lr": st.one_of(fraction, st.lists(fraction, min_size=2, max_size=2)),
     "total_steps": st.integers(1, 40)},
    optional={"pct_start": st.floats(0, 1), "anneal_strategy": st.sampled_from(["cos", "linear"]),
              "cycle_momentum": st.booleans(), "base_momentum": st.floats(0, 0.99),
              "max_momentum": st.floats(0, 0.99), "div_factor": st.floats(0.5, 100),
              "final_div_factor": st.floats(0.5, 1e4), "three_phase": st.booleans()})
SCHEDULES = st.one_of(
    st.tuples(st.just("OneCycleLR"), ONE_CYCLE),
    st.tuples(st.just("StepLR"), st.fixed_dictionaries(
        {"step_size": st.integers(1, 9)}, optional={"gamma": fraction})),
    st.tuples(st.just("CosineAnnealingLR"), st.fixed_dictionaries(
        {"T_max": st.integers(1, 40)}, optional={"eta_min": fraction})))


@given(schedule=SCHEDULES, kind=st.sampled_from(["SGD", "Adam"]))
def test_the_curves_of_torch(schedule, kind):
    """At every step, with the one that torch allows after the last; where it has a warm-up."""
    torch = pytest.importorskip("torch")
    name, options = schedule
    if name == "OneCycleLR":
        steps = options["total_steps"]
        assume(1 < options.get("pct_start", 0.3) * steps < steps)
    else:
        steps = 50
    mine = getattr(optim, kind)([{"params": leaf()}, {"params": leaf(), "lr": 0.5}], lr=0.1)
    theirs = getattr(torch.optim, kind)(
        [{"params": torch.ones(1)}, {"params": torch.ones(1), "lr": 0.5}], lr=0.1)
    theirs.step()       # or the scheduler warns
    schedulers = [getattr(optim.lr_scheduler, name)(mine, **options),
                  getattr(torch.optim.lr_scheduler, name)(theirs, **options)]
    theirs._opt_called = True
    for step in range(steps + 1):
        for group, other in zip(mine.param_groups, theirs.param_groups):
            for option in group.keys() & {"lr", "momentum", "betas"}:
                assert group[option] == pytest.approx(other[option], 1e-12, 1e-12), step
        assert schedulers[0].get_last_lr() == [group["lr"] for group in mine.param_groups]
        if step < steps:
            for scheduler in schedulers:
                scheduler.step()


# ---- the ends of a cycle -------------------------------------------------------------------------

def test_one_step_past_the_end_is_allowed_and_no_more():
    scheduler = OneCycleLR(sgd(), 1, 10)
    curve(scheduler, 10)
    after = scheduler.get_last_lr()
    for _ in range(2):
        with one_line(ValueError, "Tried to step 11 times", "total_steps=10"):
            scheduler.step()
    assert scheduler.get_last_lr() == after and scheduler.last_epoch == 10


@pytest.mark.parametrize("options", [{}, {"three_phase": True}, {"anneal_strategy": "linear"}],
                         ids=str)
@pytest.mark.parametrize("steps, pct", [
    (1, 0.3), (2, 0.3), (3, 0.3), (10, 0.1), (2, 0.5), (10, 0.0), (10, 0), (4, 0.25)])
def test_a_cycle_too_short_to_warm_up_starts_at_its_peak(steps, pct, options):
    lr = curve(OneCycleLR(sgd(), 1, steps, pct_start=pct, **options), steps)
    momentum = curve(OneCycleLR(sgd(), 1, steps, pct_start=pct, **options), steps, "momentum")
    assert lr[0] == 1 and momentum[0] == 0.85
    assert lr == sorted(lr, reverse=True) and len(set(lr)) == steps
    assert steps == 1 or (lr[-1] == pytest.approx(4e-6) and momentum[-1] == pytest.approx(0.95))


def test_a_cycle_may_be_all_warm_up():
    assert curve(OneCycleLR(sgd(), 1, 5, pct_start=1.0, anneal_strategy="linear"), 5) == (
        pytest.approx([0.04, 0.28, 0.52, 0.76, 1.0]))


# ---- resuming ------------------------------------------------------------------------------------

BUILDERS = {
    "OneCycleLR": lambda o: OneCycleLR(o, [1.0, 0.3], 12),
    "three phases, linear": lambda o: OneCycleLR(o, 1.0, 12, three_phase=True,
                                                 anneal_strategy="linear"),
    "StepLR": lambda o: StepLR(o, 3),
    "CosineAnnealingLR": lambda o: CosineAnnealingLR(o, 8)}


@pytest.mark.parametrize("optimizer_first", [False, True])
@pytest.mark.parametrize("name", BUILDERS)
def test_resuming_anywhere_gives_the_same_numbers(name, optimizer_first):
    """In either order of loading, through JSON."""
    build = BUILDERS[name]
    for stop in range(12):
        straight = build(two_groups(lr=0.1))
        curve(straight, stop)
        saved = json.loads(json.dumps(straight.state_dict()))
        assert saved == straight.state_dict()
        state = straight.optimizer.state_dict()
        optimizer = two_groups(lr=0.1)
        if optimizer_first:
            optimizer.load_state_dict(state)
        resumed = build(optimizer)
        if not optimizer_first:
            optimizer.load_state_dict(state)
        resumed.load_state_dict(saved)
        for _ in range(stop, 12):
            assert optimizer.param_groups[1]["lr"] == straight.optimizer.param_groups[1]["lr"]
            assert (optimizer.param_groups[1]["momentum"]
                    == straight.optimizer.param_groups[1]["momentum"])
            resumed.step()
            straight.step()
        assert resumed.get_last_lr() == straight.get_last_lr()


def test_the_loaded_schedule_is_the_one_that_was_running():
    saved = OneCycleLR(sgd(), 1.0, 10)
    saved.step()
    other = OneCycleLR(sgd(), 9.0, 99, pct_start=0.7)
    other.load_state_dict(saved.state_dict())
    assert other.get_last_lr() == [0.52] and curve(other, 9) == curve(saved, 9)


@pytest.mark.parametrize("load, words", [
    (lambda: StepLR(sgd(), 1).load_state_dict(CosineAnnealingLR(sgd(), 1).state_dict()),
     ["StepLR", "T_max", "step_size"]),
    (lambda: StepLR(sgd(), 1).load_state_dict(StepLR(two_groups(), 1).state_dict()),
     ["StepLR", "base_lrs", "2 groups", "has 1"])])
def test_a_state_of_something_else_is_refused(load, words):
    with one_line(ValueError, *words):
        load()


# ---- bad options ---------------------------------------------------------------------------------

class Plain(optim.Optimizer):
    def update(self, p, g, state, group):
        p -= group["lr"] * g


@pytest.mark.parametrize("build, error, words", [
    (lambda: OneCycleLR(sgd(), 1), ValueError, ["total_steps", "epochs"]),
    (lambda: OneCycleLR(sgd(), 1, epochs=3), ValueError, ["steps_per_epoch"]),
    (lambda: OneCycleLR(sgd(), 1, 0), ValueError, ["total_steps", "positive", "0"]),
    (lambda: OneCycleLR(sgd(), 1, 10.0), TypeError, ["total_steps", "integer", "10.0"]),
    (lambda: OneCycleLR(sgd(), 1, epochs=-1, steps_per_epoch=3), ValueError, ["epochs", "-1"]),
    (lambda: OneCycleLR(sgd(), 1, 9, pct_start=1.5), ValueError, ["pct_start", "1.5"]),
    (lambda: OneCycleLR(sgd(), 1, 9, anneal_strategy="sin"), ValueError, ["'sin'", "cos, linear"]),
    (lambda: OneCycleLR(sgd(), [1, 2], 9), ValueError, ["max_lr", "2 values", "1 groups"]),
    (lambda: OneCycleLR(two_groups(), 1, 9, max_momentum=[1]), ValueError, ["max_momentum"]),
    (lambda: OneCycleLR(Plain([leaf()], {"lr": 1}), 1, 9), ValueError, ["Plain", "cycle_momentum"]),
    (lambda: OneCycleLR("adam", 1, 9), TypeError, ["Optimizer", "str"]),
    (lambda: StepLR(leaf(), 1), TypeError, ["Optimizer", "Tensor"]),
    (lambda: StepLR(sgd(), 0), ValueError, ["step_size", "positive"]),
    (lambda: StepLR(sgd(), 1, "x"), TypeError, ["gamma must be a number, got 'x'"]),
    (lambda: CosineAnnealingLR(sgd(), 1, None), TypeError, ["eta_min must be a number, got None"]),
    (lambda: OneCycleLR(sgd(), "1", 9), TypeError, ["max_lr must be a number, got '1'"]),
    (lambda: OneCycleLR(sgd(), 1, 9, div_factor=[2]), TypeError, ["div_factor", "number, got [2]"]),
    (lambda: CosineAnnealingLR(sgd(), 0), ValueError, ["T_max", "positive"])])
def test_bad_options_are_named(build, error, words):
    with one_line(error, *words):
        build()


def test_an_optimizer_without_momentum_can_follow_the_rate_alone():
    optimizer = Plain([leaf()], {"lr": 1})
    scheduler = OneCycleLR(optimizer, 1, 9, cycle_momentum=False)
    assert optimizer.param_groups[0].keys() == {"params", "lr"}
    assert scheduler.get_last_lr() == [pytest.approx(0.04)]


# ---- several of them, and groups that change -----------------------------------------------------

def test_two_schedulers_multiply():
    optimizer = sgd(lr=1.0)
    every, third = StepLR(optimizer, 1, 0.5), StepLR(optimizer, 3, 0.1)
    rates = []
    for _ in range(4):
        every.step()
        own = every.get_last_lr()
        third.step()
        rates.append((own[0], third.get_last_lr()[0], optimizer.param_groups[0]["lr"]))
    np.testing.assert_allclose(rates, [(0.5, 0.5, 0.5), (0.25, 0.25, 0.25),
                                       (0.125, 0.0125, 0.0125), (0.00625, 0.00625, 0.00625)])


def test_a_cosine_and_steps_by_hand():
    """The cosine falls to 0.2 over two steps: 1, 0.6, 0.2; the other halves each second one."""
    optimizer = sgd(lr=1.0)
    cosine, steps = CosineAnnealingLR(optimizer, 2, eta_min=0.2), StepLR(optimizer, 2, 0.5)
    rates = []
    for _ in range(4):
        cosine.step()
        steps.step()
        rates.append(optimizer.param_groups[0]["lr"])
    # up again from 0.1: + 0.8 / 2, then 0.2 + (0.5 - 0.2) * 2, halved
    np.testing.assert_allclose(rates, [0.6, 0.1, 0.5, 0.4], rtol=1e-12)


def test_a_rate_that_is_set_by_hand_is_gone_on_from():
    optimizer = sgd(lr=1.0)
    scheduler = StepLR(optimizer, 2, 0.5)
    scheduler.step()
    optimizer.param_groups[0]["lr"] = 8.0
    assert curve(scheduler, 4) == [8, 4, 4, 2]


def test_later_schedulers_start_from_the_first_rates():
    """The base of the cosine is the rate before the warm-up, not the one that it finds."""
    optimizer = sgd(lr=1.0)
    StepLR(optimizer, 5)
    optimizer.param_groups[0]["lr"] = 0.5
    cosine = CosineAnnealingLR(optimizer, 1)
    assert cosine.base_lrs == [1.0] and cosine.get_last_lr() == [0.5]
    OneCycleLR(optimizer, 5.0, 10)
    assert CosineAnnealingLR(optimizer, 1).base_lrs == [0.2]


@pytest.mark.parametrize("build", [lambda o: StepLR(o, 2, 0.5), lambda o: CosineAnnealingLR(o, 4)])
def test_a_group_that_is_added_is_driven_too(build):
    optimizer = sgd(lr=1.0)
    scheduler = build(optimizer)
    scheduler.step()
    optimizer.add_param_group({"params": leaf(), "lr": 0.5})
    found = []
    for _ in range(4):
        scheduler.step()
        found.append(optimizer.param_groups[1]["lr"])
    if isinstance(scheduler, StepLR):
        assert found == [0.25, 0.25, 0.125, 0.125]
    else:       # it has the same share of its curve as the first, and rises to its own rate
        first = [1 + np.cos(np.pi * t / 4) for t in range(6)]
        np.testing.assert_allclose(found[:3], 0.5 * np.array(first[2:5]) / first[1], atol=1e-12)
        assert found[3] == pytest.approx(0.5 * (1 - np.cos(np.pi / 4)) / 2)
    assert scheduler.base_lrs == [1.0, 0.5] and len(scheduler.get_last_lr()) == 2
    build(optimizer).load_state_dict(scheduler.state_dict())


@pytest.mark.parametrize("step_first", [False, True])
@pytest.mark.parametrize("name", ["StepLR", "CosineAnnealingLR"])
def test_a_state_is_loaded_before_and_after_a_group_is_added(name, step_first):
    def build():
        optimizer = sgd(lr=1.0)
        scheduler = BUILDERS[name](optimizer)
        optimizer.add_param_group({"params": leaf(), "lr": 0.5})
        return optimizer, scheduler

    (first, straight), (second, resumed) = build(), build()
    for _ in range(3 * step_first):
        straight.step()
    state = json.loads(json.dumps(straight.state_dict()))
    assert len(state["base_lrs"]) == len(state["_last_lr"]) == 2
    second.load_state_dict(first.state_dict())
    resumed.load_state_dict(state)
    for _ in range(4):
        straight.step(), resumed.step()
        assert resumed.get_last_lr() == straight.get_last_lr()


def test_a_group_that_is_added_to_one_cycle_is_named():
    optimizer = sgd()
    scheduler = OneCycleLR(optimizer, 1.0, 10)
    optimizer.add_param_group({"params": leaf()})
    before = scheduler.last_epoch, optimizer.param_groups[0]["lr"]
    with one_line(KeyError, "OneCycleLR", "1 groups", "group 1"):
        scheduler.step()
    assert (scheduler.last_epoch, optimizer.param_groups[0]["lr"]) == before


CHAINS = [(order, first, second) for first in BUILDERS for second in BUILDERS
          for order in ("optimizer", "schedulers", "reversed")
          if order != "optimizer" or {first, second} <= {"StepLR", "CosineAnnealingLR"}]


@pytest.mark.parametrize("order, first, second", CHAINS)
def test_two_schedulers_go_on_where_they_were_stopped(order, first, second):
    """Whatever is loaded first; a OneCycleLR that is made after the optimizer was loaded sets the
    rate of its first step until the next."""
    names = [first, second]

    def step(schedulers):
        for scheduler in schedulers:
            scheduler.step()

    straight = two_groups(lr=0.1)
    through = [BUILDERS[name](straight) for name in names]
    for _ in range(5):
        step(through)
    saved = [json.loads(json.dumps(scheduler.state_dict())) for scheduler in through]
    state = straight.state_dict()
    optimizer = two_groups(lr=0.1)
    if order == "optimizer":
        optimizer.load_state_dict(state)
    resumed = [BUILDERS[name](optimizer) for name in names]
    if order != "optimizer":
        optimizer.load_state_dict(state)
    pairs = list(zip(resumed, saved))
    for scheduler, own in pairs[::-1] if order == "reversed" else pairs:
        scheduler.load_state_dict(own)
    for _ in range(5):
        assert [group["lr"] for group in optimizer.param_groups] == [
            group["lr"] for group in straight.param_groups]
        assert [s.get_last_lr() for s in resumed] == [s.get_last_lr() for s in through]
        step(through)
        step(resumed)


def test_states_of_earlier_versions_load():
    """They have no last rates: the optimizer has them."""
    optimizer = sgd(lr=0.25)
    scheduler = StepLR(optimizer, 2, 0.5)
    state = {"base_lrs": [1.0], "step_size": 2, "gamma": 0.5, "last_epoch": 5}
    scheduler.load_state_dict(state)
    assert curve(scheduler, 3) == [0.25, 0.125, 0.125]
