//! The optimizers that are tested. A new optimizer adds its lines here.

use chainrule_optim::schedule::{Cosine, StepDecay, WarmUp};
use chainrule_optim::{
    ClipByGlobalNorm, ClipByValue, Real, UpdateRule, WeightDecay, adam, adamw, rmsprop, sgd,
};

/// With settings that reach the minimum of a parabola.
pub(crate) fn every_optimizer<T: Real>() -> Vec<Box<dyn UpdateRule<T>>> {
    vec![
        Box::new(sgd(0.1)),
        Box::new(sgd(0.05).momentum(0.9)),
        Box::new(sgd(0.05).momentum(0.8).nesterov()),
        Box::new(sgd(0.05).momentum(0.5).dampening(0.3)),
        Box::new(adam(0.05)),
        Box::new(adam(0.05).keras()),
        Box::new(adamw(0.05).weight_decay(1e-4)),
        Box::new(rmsprop(0.01)),
        Box::new(rmsprop(0.01).momentum(0.5)),
        Box::new(rmsprop(0.01).centered()),
        Box::new(rmsprop(0.01).centered().momentum(0.5)),
        Box::new((ClipByGlobalNorm(1.0), sgd(0.1))),
        Box::new((ClipByValue(0.5), adam(0.05))),
        Box::new(sgd(WarmUp::new(10).then(Cosine::new(0.1).steps(400).floor(0.01)))),
    ]
}

/// Those that PyTorch has too, by the names of `reference.py`, whose header says how the values were made.
pub(crate) fn every_reference<T: Real>() -> Vec<(&'static str, Box<dyn UpdateRule<T>>)> {
    vec![
        ("sgd", Box::new(sgd(0.1))),
        ("sgd, weight decay", Box::new(sgd(0.1).weight_decay(0.1))),
        ("sgd, momentum", Box::new(sgd(0.1).momentum(0.9))),
        ("sgd, dampening", Box::new(sgd(0.1).momentum(0.9).dampening(0.3).weight_decay(0.1))),
        ("sgd, nesterov", Box::new(sgd(0.1).momentum(0.9).nesterov().weight_decay(0.1))),
        ("adam", Box::new(adam(1e-2))),
        ("adam, settings", Box::new(adam(1e-2).betas(0.8, 0.99).epsilon(1e-3))),
        ("adam, coupled decay", Box::new((WeightDecay(0.1), adam(1e-2)))),
        ("adamw", Box::new(adamw(1e-2))),
        ("adamw, weight decay", Box::new(adamw(1e-2).weight_decay(0.5))),
        ("rmsprop", Box::new(rmsprop(1e-2))),
        ("rmsprop, momentum", Box::new(rmsprop(1e-2).alpha(0.9).epsilon(1e-3).momentum(0.5))),
        ("rmsprop, centered", Box::new(rmsprop(1e-2).centered())),
        ("rmsprop, centered, momentum", Box::new(rmsprop(1e-2).centered().momentum(0.5))),
        ("sgd, clipped norm", Box::new((ClipByGlobalNorm(1.0), sgd(0.1)))),
        ("sgd, clipped values", Box::new((ClipByValue(0.25), sgd(0.1)))),
        ("sgd, cosine", Box::new(sgd(Cosine::new(0.1).steps(10).floor(0.01)))),
        ("sgd, steps", Box::new(sgd(StepDecay::new(0.1, 3).gamma(0.5)))),
    ]
}
