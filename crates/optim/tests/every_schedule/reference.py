"""Learning rates of schedules, step by step, from PyTorch, optax and Keras.

    pip install torch==2.15.0 optax==0.2.8 jax==0.10.2 keras==3.15.1 && python reference.py > reference.json

Each case is a schedule as chainrule's text form writes it, what is known of the run, and the rates over the whole length of the
schedule and ten steps beyond. Settings are drawn with a fixed seed, besides the defaults.
"""

import json
import os
import random
import warnings

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_ENABLE_X64"] = "1"
warnings.filterwarnings("ignore")

import jax
import keras
import optax
import torch
from keras.optimizers import schedules as K
from torch.optim import lr_scheduler as T
from torch.optim.swa_utils import SWALR

keras.config.set_floatx("float64")
RATE = 0.1
MORE = 10
draw = random.Random(12)
cases = []


def sgd(rate=RATE):
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))], lr=rate)


def rates_of(optimizer, scheduler, count, per_epoch=1):
    """The rates of the first steps, of which so many are an epoch."""
    rates = []
    for step in range(count):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        if (step + 1) % per_epoch == 0:
            scheduler.step()
    return rates


def add(of, schedule, rates, run=None):
    cases.append({"of": of, "schedule": schedule, "run": run, "rates": [float(f"{rate:.17g}") for rate in rates]})


def by_torch(schedule, make, count, run=None, rate=RATE, per_epoch=1):
    optimizer = sgd(rate)
    add("PyTorch", schedule, rates_of(optimizer, make(optimizer), count, per_epoch), run)


def by_function(of, schedule, function, count, run=None):
    rates = jax.numpy.broadcast_to(function(jax.numpy.arange(count)), count)
    add(of, schedule, [float(rate) for rate in rates], run)


def uniform(low, high):
    return round(draw.uniform(low, high), 6)


def torch_cases():
    by_torch("constant.pytorch", lambda o: T.ConstantLR(o), 5 + MORE)
    by_torch("linear.pytorch", lambda o: T.LinearLR(o), 5 + MORE)
    by_torch("polynomial.pytorch", lambda o: T.PolynomialLR(o), 5 + MORE)
    by_torch("StepLR(7)", lambda o: T.StepLR(o, 7), 30 + MORE)
    by_torch("cyclic(0.01, 20, rate=0.1)", lambda o: T.CyclicLR(o, 0.01, 0.1, 20, cycle_momentum=False), 80 + MORE)
    by_torch("OneCycleLR(100)", lambda o: T.OneCycleLR(o, 0.1, 100, cycle_momentum=False), 100)
    by_torch("SWALR(0.05)", lambda o: SWALR(o, 0.05), 10 + MORE)
    by_torch("ExponentialLR(0.9)", lambda o: T.ExponentialLR(o, 0.9), 30 + MORE)
    for _ in range(6):
        rate, gamma, steps = uniform(0.001, 1), uniform(0.3, 0.99), draw.randint(1, 12)
        low, end = uniform(0.001, 0.9), uniform(0, 1)
        by_torch(f"step({steps}, gamma={gamma}, rate={rate})", lambda o: T.StepLR(o, steps, gamma), 40 + MORE, rate=rate)
        marks = sorted(draw.choices(range(1, 40), k=draw.randint(0, 4)))
        by_torch(f"multi_step({marks}, {gamma}, {rate})", lambda o: T.MultiStepLR(o, marks, gamma), 40 + MORE, rate=rate)
        by_torch(f"ConstantLR(steps={steps}, factor={low}, rate={rate})", lambda o: T.ConstantLR(o, low, steps), steps + MORE, rate=rate)
        by_torch(
            f"LinearLR(total_iters={steps}, start_factor={low}, end_factor={end}, rate={rate})",
            lambda o: T.LinearLR(o, low, end, steps), steps + MORE, rate=rate,
        )
        by_torch(f"exponential({gamma}, rate={rate})", lambda o: T.ExponentialLR(o, gamma), 40 + MORE, rate=rate)
        power = draw.choice([0.5, 1.0, 2.0, 3.7])
        by_torch(f"polynomial({steps}, power={power}, rate={rate})", lambda o: T.PolynomialLR(o, steps, power), steps + MORE, rate=rate)
        long, floor = draw.randint(2, 50), uniform(0, 0.001)
        by_torch(
            f"CosineAnnealingLR.pytorch(T_max={long}, eta_min={floor}, rate={rate})",
            lambda o: T.CosineAnnealingLR(o, long, floor), long + MORE, rate=rate,
        )
        # What follows the length is PyTorch's own.
        by_torch(f"cosine({long}, {floor}, rate={rate})", lambda o: T.CosineAnnealingLR(o, long, floor), long + 1, rate=rate)
        by_torch(f"cosine(floor={floor}, rate={rate})", lambda o: T.CosineAnnealingLR(o, long, floor), long + 1, run=[long, 7], rate=rate)
        multiplier = draw.choice([1, 1, 2, 3])
        by_torch(
            f"CosineAnnealingWarmRestarts(T_0={steps}, T_mult={multiplier}, eta_min={floor}, rate={rate})",
            lambda o: T.CosineAnnealingWarmRestarts(o, steps, multiplier, floor), 13 * steps + MORE, rate=rate,
        )
        up, down = draw.randint(1, 20), draw.randint(1, 20)
        for mode in ["triangular", "triangular2", "exp_range"]:
            by_torch(
                f"CyclicLR(base_lr={floor}, step_size_up={up}, step_size_down={down}, mode={mode}, gamma={gamma}, max_lr={rate})",
                lambda o: T.CyclicLR(o, floor, rate, up, down, mode, gamma, cycle_momentum=False), 2 * (up + down) + MORE,
            )
        total, part = draw.randint(20, 60), uniform(0.1, 0.45)
        div, final, anneal, three = uniform(2, 50), uniform(10, 1e5), draw.choice(["cos", "linear"]), draw.random() < 0.5
        by_torch(
            f"one_cycle(pct_start={part}, anneal_strategy={anneal}, div_factor={div}, final_div_factor={final}, "
            f"three_phase={str(three).lower()}, max_lr={rate})",
            lambda o: T.OneCycleLR(
                o, rate, total, pct_start=part, anneal_strategy=anneal, div_factor=div, final_div_factor=final,
                three_phase=three, cycle_momentum=False,
            ),
            total, run=[total, 10],
        )
        by_torch(
            f"swa({low}, {steps}, {anneal}, rate={rate})",
            lambda o: SWALR(o, low, anneal_epochs=steps, anneal_strategy=anneal), steps + MORE, rate=rate,
        )
    by_torch("swa(0.05, 0, rate=0.1)", lambda o: SWALR(o, 0.05, anneal_epochs=0), MORE)


def torch_compositions():
    def sequential(o, makers, milestones):
        return T.SequentialLR(o, [make(o) for make in makers], milestones)

    for _ in range(4):
        warm, rest, gamma, low = draw.randint(2, 10), draw.randint(10, 40), uniform(0.5, 0.99), uniform(0.01, 0.9)
        linear = lambda o: T.LinearLR(o, low, 1.0, warm)
        cosine = lambda o: T.CosineAnnealingLR(o, rest, 0.001)
        decay = lambda o: T.ExponentialLR(o, gamma)
        by_torch(
            f"warmup:{warm},{low} then cosine({rest}, floor=0.001)",
            lambda o: sequential(o, [linear, cosine], [warm]), warm + rest + 1,
        )
        # The rest of the run.
        by_torch(
            f"warmup({warm}, start_factor={low}) then cosine(floor=0.001)",
            lambda o: sequential(o, [linear, cosine], [warm]), warm + rest + 1, run=[warm + rest, 5],
        )
        by_torch(
            f"linear({warm}, {low}, 1) then cosine.pytorch({rest}, floor=0.001) then exponential({gamma})",
            lambda o: sequential(o, [linear, cosine, decay], [warm, warm + rest]), warm + rest + MORE,
        )
        by_torch(
            f"sequential([exponential({gamma}), step(3, gamma={low})], milestones=[{warm}])",
            lambda o: sequential(o, [decay, lambda o: T.StepLR(o, 3, low)], [warm]), warm + 20 + MORE,
        )
        by_torch(
            f"chained([constant({warm}, {low}), exponential({gamma}), multi_step([5, 9])])",
            lambda o: T.ChainedScheduler([T.ConstantLR(o, low, warm), decay(o), T.MultiStepLR(o, [5, 9])]), 30 + MORE,
        )
        per_epoch = draw.randint(1, 6)
        by_torch(
            f"by_epoch(step(3, gamma={gamma}))", lambda o: T.StepLR(o, 3, gamma), 60 + MORE,
            run=[60, per_epoch], per_epoch=per_epoch,
        )
        epochs = draw.randint(3, 10)
        by_torch(
            "by_epoch(cosine)",
            lambda o: T.CosineAnnealingLR(o, epochs), per_epoch * (epochs + 1),
            run=[per_epoch * epochs, per_epoch], per_epoch=per_epoch,
        )
        optimizer = sgd()
        annealed, average = T.CosineAnnealingLR(optimizer, rest, 0.001), SWALR(optimizer, 0.05, anneal_epochs=warm)
        before = warm + 1
        first = rates_of(optimizer, annealed, before)
        add(
            "PyTorch", f"sequential([cosine({rest}, floor=0.001), swa(0.05, {warm})], [{before}])",
            first + rates_of(optimizer, average, warm + MORE),
        )
        by_torch("noam(64, 20)", lambda o: T.LambdaLR(o, lambda s: 64**-0.5 * min((s + 1) ** -0.5, (s + 1) * 20**-1.5)), 60 + MORE, rate=1.0)


def optax_cases():
    by_function("optax", "constant(rate=0.3)", optax.constant_schedule(0.3), MORE)
    for _ in range(6):
        rate, end, steps = uniform(0.01, 1), uniform(0, 0.5), draw.randint(1, 30)
        gamma, power, alpha = uniform(0.3, 0.99), draw.choice([0.5, 1.0, 2.0, 3.7]), uniform(0, 0.5)
        count = steps + MORE
        by_function("optax", f"polynomial_schedule({steps}, {power}, {end}, rate={rate})", optax.polynomial_schedule(rate, end, power, steps), count)
        by_function("optax", f"linear_schedule({steps}, end_factor={end}, rate={rate})", optax.linear_schedule(rate, rate * end, steps), count)
        by_function("optax", f"cosine_decay_schedule({steps}, alpha={alpha}, exponent={power}, rate={rate})", optax.cosine_decay_schedule(rate, steps, alpha, power), count)
        for staircase in ["true", "false"]:
            by_function(
                "optax", f"exponential_decay({gamma}, {steps}, {staircase}, floor={end / 10}, rate={rate})",
                optax.exponential_decay(rate, steps, gamma, staircase=staircase == "true", end_value=min(end / 10, rate)), 3 * count,
            )
        marks = sorted(draw.sample(range(1, 40), 3))
        scales = {mark: uniform(0.1, 2) for mark in marks}
        values = [rate]
        for mark in marks:
            values.append(values[-1] * scales[mark])
        by_function("optax", f"piecewise_constant({marks}, {values})", optax.piecewise_constant_schedule(rate, scales), 40 + MORE)
        warm = draw.randint(1, steps)
        total = warm + steps
        first = uniform(0, 1) * rate
        by_function(
            "optax", f"warmup({warm}, {first / rate}) then cosine({steps}, floor={end * rate}, exponent={power}, rate={rate})",
            optax.warmup_cosine_decay_schedule(first, rate, warm, total, end * rate, power), total + MORE,
        )
        by_function(
            "optax", f"join_schedules([linear({steps}, rate={rate}), cosine({warm}, rate={end})], [{steps}])",
            optax.join_schedules([optax.linear_schedule(rate, 0, steps), optax.cosine_decay_schedule(end, warm)], [steps]), total + MORE,
        )
        by_function(
            "optax", f"sgdr_schedule({steps}, rate={rate}, floor=0)",
            optax.sgdr_schedule([{"init_value": rate, "peak_value": rate, "warmup_steps": 0, "decay_steps": steps}] * 4), 4 * steps,
        )


def F(rate):
    """In double precision, which Keras takes from its argument, but not for cosines and roundings."""
    return jax.numpy.asarray(rate, "float64")


def keras_cases():
    by_function("Keras", "polynomial.keras(17, rate=0.1)", K.PolynomialDecay(F(0.1), 17), 17 + MORE)
    by_function("Keras", "CosineDecayRestarts.keras(4, rate=0.1)", K.CosineDecayRestarts(F(0.1), 4), 60 + MORE)
    for _ in range(6):
        rate, end, steps = uniform(0.01, 1), uniform(0, 0.5), draw.randint(2, 20)
        gamma, power, alpha = uniform(0.3, 0.99), draw.choice([0.5, 1.0, 2.0, 3.7]), uniform(0, 0.5)
        by_function("Keras", f"PolynomialDecay({steps}, {power}, {end}, true, {rate})", K.PolynomialDecay(F(rate), steps, end, power, cycle=True), 3 * steps + MORE)
        by_function("Keras", f"CosineDecay({steps}, alpha={alpha}, rate={rate})", K.CosineDecay(F(rate), steps, alpha), steps + MORE)
        grow, shrink = draw.choice([1.0, 1.5, 2.0]), uniform(0.5, 1)
        by_function(
            "Keras", f"CosineDecayRestarts(first_decay_steps={steps}, t_mul={grow}, m_mul={shrink}, alpha={alpha}, rate={rate})",
            K.CosineDecayRestarts(F(rate), steps, grow, shrink, alpha), 6 * steps + MORE,
        )
        for staircase in ["true", "false"]:
            flag = staircase == "true"
            by_function("Keras", f"ExponentialDecay({gamma}, {steps}, {staircase}, rate={rate})", K.ExponentialDecay(F(rate), steps, gamma, flag), 3 * steps + MORE)
            by_function("Keras", f"InverseTimeDecay({gamma}, {steps}, {staircase}, {rate})", K.InverseTimeDecay(F(rate), steps, gamma, flag), 3 * steps + MORE)
        marks = sorted(draw.sample(range(1, 40), 3))
        values = [uniform(0.01, 1) for _ in range(4)]
        by_function("Keras", f"PiecewiseConstantDecay.keras({marks}, {values})", K.PiecewiseConstantDecay(marks, [F(value) for value in values]), 40 + MORE)


def plateaus():
    """What PyTorch's ReduceLROnPlateau makes of a quantity, epoch by epoch."""
    found = []
    for index in range(24):
        mode, threshold_mode = draw.choice(["min", "max"]), draw.choice(["rel", "abs"])
        factor, patience, cooldown = uniform(0.1, 0.9), draw.randint(0, 4), draw.randint(0, 3)
        threshold, low, eps = draw.choice([1e-4, 0.05, 0.0]), draw.choice([0.0, 0.01]), draw.choice([1e-8, 0.01])
        optimizer = sgd()
        scheduler = T.ReduceLROnPlateau(optimizer, mode, factor, patience, threshold, threshold_mode, cooldown, low, eps)
        schedule = (
            f"ReduceLROnPlateau(factor={factor}, patience={patience}, mode={mode}, threshold={threshold}, "
            f"threshold_mode={threshold_mode}, cooldown={cooldown}, min_lr={low}, eps={eps})"
        )
        if index == 0:
            optimizer = sgd()
            scheduler, schedule = T.ReduceLROnPlateau(optimizer), "reduce_on_plateau"
        values, rates = [], []
        for epoch in range(60):
            value = uniform(0.5, 0.6) + (0.5 if mode == "max" else -0.02) * min(epoch, 8) / 8
            if epoch % 13 == 7:
                value = float("nan")
            values.append(value)
            scheduler.step(value)
            rates.append(float(optimizer.param_groups[0]["lr"]))
        found.append({"schedule": schedule, "values": [str(value) for value in values], "rates": rates})
    return found


torch_cases()
torch_compositions()
optax_cases()
keras_cases()
versions = {"torch": torch.__version__, "optax": optax.__version__, "jax": jax.__version__, "keras": keras.__version__}
lines = ",\n".join(json.dumps(case) for case in cases)
print(f'{{"versions": {json.dumps(versions)},\n"cases": [\n{lines}],\n"plateaus": [\n' + ",\n".join(json.dumps(p) for p in plateaus()) + "]}")
