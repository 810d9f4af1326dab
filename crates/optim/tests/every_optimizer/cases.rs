//! The optimizers that are tested. A new optimizer adds its lines here.

use std::sync::Arc;

use chainrule_optim::schedule::{Cosine, StepDecay};
use chainrule_optim::{
    ClipByGlobalNorm, ClipByValue, Real, Schedule, UpdateRule, WeightDecay, acprop, adabelief, adadelta,
    adagrad, adam, adamax, adamaxw, adamw, adan, ademamix, adopt, amsgrad, asgd, ftrl, lion, madgrad, nadam,
    nadamw, noisy_sgd, optimistic_adam, optimistic_sgd, radam, rmsprop, rprop, sgd, sign_sgd, signum,
    simplified_ademamix, sm3, sophia, yogi,
};

/// An optimizer in one configuration.
pub(crate) struct Case<T> {
    pub(crate) name: &'static str,
    /// The optimizer with this learning rate.
    pub(crate) make: fn(Arc<dyn Schedule>) -> Box<dyn UpdateRule<T>>,
    /// The rates at which it converges: on a parabola, on Rosenbrock's function, on a classification.
    pub(crate) rates: [f64; 3],
}

impl<T: Real> Case<T> {
    /// With a constant rate.
    pub(crate) fn with_rate(&self, rate: f64) -> Box<dyn UpdateRule<T>> {
        (self.make)(Arc::new(rate))
    }
}

macro_rules! cases {
    ($(#[$doc:meta])* $list:ident: $($name:literal: |$rate:ident| $make:expr, $rates:expr;)+) => {
        $(#[$doc])*
        pub(crate) fn $list<T: Real>() -> Vec<Case<T>> {
            vec![$(Case { name: $name, make: |$rate| Box::new($make), rates: $rates }),+]
        }
    };
}

cases! {
    /// Every optimizer that acts on each value alone.
    every_case:
    "sgd": |rate| sgd(rate), [1.0, 0.5, 2.0];
    "sgd, momentum": |rate| sgd(rate).momentum(0.9), [0.1, 0.2, 2.0];
    "sgd, nesterov": |rate| sgd(rate).momentum(0.8).nesterov(), [1.0, 0.2, 0.5];
    "sgd, dampening": |rate| sgd(rate).momentum(0.5).dampening(0.3), [1.0, 0.5, 2.0];
    "sgd, keras": |rate| sgd(rate).momentum(0.9).nesterov().keras(), [1.0, 0.2, 2.0];
    "adam": |rate| adam(rate), [0.2, 0.5, 0.5];
    "adam, keras": |rate| adam(rate).keras(), [0.2, 0.5, 0.5];
    "adam, amsgrad": |rate| adam(rate).amsgrad(), [0.1, 1.0, 0.5];
    "adamw": |rate| adamw(rate).weight_decay(1e-4), [0.5, 0.1, 0.5];
    "rmsprop": |rate| rmsprop(rate), [0.005, 0.005, 0.5];
    "rmsprop, momentum": |rate| rmsprop(rate).momentum(0.5), [0.01, 0.002, 0.5];
    "rmsprop, centered": |rate| rmsprop(rate).centered(), [0.005, 0.005, 0.5];
    "rmsprop, centered, momentum": |rate| rmsprop(rate).centered().momentum(0.5), [0.005, 0.001, 0.5];
    "rmsprop, keras": |rate| rmsprop(rate).momentum(0.5).keras(), [0.002, 0.002, 0.02];
    "clipped norm": |rate| (ClipByGlobalNorm(1.0), sgd(rate)), [1.0, 0.5, 2.0];
    "clipped values": |rate| (ClipByValue(0.5), adam(rate)), [0.5, 1.0, 0.5];
    "adadelta": |rate| adadelta(rate), [2.0, 1.0, 10.0];
    "adagrad": |rate| adagrad(rate), [2.0, 1.0, 2.0];
    "adagrad, keras": |rate| adagrad(rate).keras(), [2.0, 1.0, 2.0];
    "adamax": |rate| adamax(rate), [1.0, 2.0, 0.5];
    "adamax, keras": |rate| adamax(rate).keras(), [1.0, 2.0, 0.5];
    "adamaxw": |rate| adamaxw(rate), [0.02, 0.2, 0.5];
    "amsgrad": |rate| amsgrad(rate), [0.1, 1.0, 0.5];
    "amsgrad, keras": |rate| amsgrad(rate).keras(), [0.1, 1.0, 0.5];
    "nadam": |rate| nadam(rate), [0.02, 0.05, 0.5];
    "nadamw": |rate| nadamw(rate), [0.02, 0.05, 0.5];
    "radam": |rate| radam(rate), [0.1, 0.5, 0.5];
    "rprop": |rate| rprop(rate), [0.02, 0.001, 0.1];
    "lion": |rate| lion(rate), [0.01, 0.002, 1.0];
    "adabelief": |rate| adabelief(rate), [0.1, 0.2, 0.5];
    "yogi": |rate| yogi(rate), [0.5, 1.0, 0.5];
    "ftrl": |rate| ftrl(rate), [1.0, 1.0, 2.0];
    "adan": |rate| adan(rate), [0.05, 0.002, 2.0];
    "asgd": |rate| asgd(rate).t0(10.0), [0.02, 0.5, 2.0];
    "ademamix": |rate| ademamix(rate), [2.0, 1.0, 2.0];
    "ademamix, warm-up": |rate| ademamix(rate).betas(0.9, 0.999, 0.99).warmup(100), [0.5, 0.1, 2.0];
    "acprop": |rate| acprop(rate).epsilon_root(1e-8), [0.05, 0.02, 0.1];
    "simplified_ademamix": |rate| simplified_ademamix(rate).betas(0.9, 0.95), [0.005, 0.005, 0.02];
    "adopt": |rate| adopt(rate), [0.2, 2.0, 0.5];
    "sign_sgd": |rate| sign_sgd(rate), [0.005, 1.0, 0.02];
    "signum": |rate| signum(rate), [0.005, 0.005, 0.02];
    "madgrad": |rate| madgrad(rate), [0.1, 0.2, 2.0];
    "optimistic_sgd": |rate| optimistic_sgd(rate), [0.5, 0.1, 2.0];
    "optimistic_adam": |rate| optimistic_adam(rate), [0.05, 0.02, 0.5];
    "noisy_sgd": |rate| noisy_sgd(rate).variance(1e-4), [0.02, 0.5, 2.0];
}

cases! {
    /// Those that need the shape of a parameter, or evaluate a batch again.
    other_cases:
    "sm3": |rate| sm3(rate), [0.5, 0.5, 1.0];
    "sophia": |rate| sophia(rate).gamma(0.1).weight_decay(0.0), [0.1, 0.2, 0.2];
}

/// Those with values from other libraries, by the names of `reference.py`, whose header says how the values were made.
pub(crate) fn every_reference<T: Real>() -> Vec<(&'static str, Box<dyn UpdateRule<T>>)> {
    let halved = |step: u64| 0.01 * 0.5f64.powf(step as f64 / 10.0);
    let exponential = |step: u64| 0.01 * 0.9f64.powf(step as f64);
    vec![
        ("sgd", Box::new(sgd(0.01))),
        ("sgd, weight decay", Box::new(sgd(0.01).weight_decay(0.1))),
        ("sgd, momentum", Box::new(sgd(0.01).momentum(0.9))),
        ("sgd, dampening", Box::new(sgd(0.01).momentum(0.9).dampening(0.3).weight_decay(0.1))),
        ("sgd, nesterov", Box::new(sgd(0.01).momentum(0.9).nesterov().weight_decay(0.1))),
        ("sgd, keras", Box::new(sgd(halved).momentum(0.9).keras())),
        ("sgd, nesterov, keras", Box::new(sgd(halved).momentum(0.9).nesterov().keras())),
        ("sgd, momentum, exponential", Box::new(sgd(exponential).momentum(0.9))),
        ("adam", Box::new(adam(1e-2))),
        ("adam, settings", Box::new(adam(1e-2).betas(0.8, 0.99).epsilon(1e-3))),
        ("adam, coupled decay", Box::new(adam(1e-2).weight_decay(0.1))),
        ("adam, decay before it", Box::new((WeightDecay(0.1), adam(1e-2)))),
        ("adam, keras", Box::new(adam(1e-2).keras())),
        ("adamw", Box::new(adamw(1e-2))),
        ("adamw, weight decay", Box::new(adamw(1e-2).weight_decay(0.5))),
        ("adamw, keras", Box::new(adamw(1e-2).keras())),
        ("rmsprop", Box::new(rmsprop(1e-2))),
        ("rmsprop, momentum", Box::new(rmsprop(1e-2).alpha(0.9).epsilon(1e-3).momentum(0.5))),
        ("rmsprop, centered", Box::new(rmsprop(1e-2).centered())),
        ("rmsprop, centered, momentum", Box::new(rmsprop(1e-2).centered().momentum(0.5))),
        ("rmsprop, coupled decay", Box::new(rmsprop(1e-2).weight_decay(0.1))),
        ("rmsprop, keras", Box::new(rmsprop(1e-2).keras())),
        ("rmsprop, momentum, keras", Box::new(rmsprop(halved).momentum(0.5).keras())),
        ("rmsprop, centered, keras", Box::new(rmsprop(1e-2).centered().keras().epsilon(0.1))),
        ("sgd, clipped norm", Box::new((ClipByGlobalNorm(1.0), sgd(0.01)))),
        ("sgd, clipped values", Box::new((ClipByValue(0.25), sgd(0.01)))),
        ("sgd, cosine", Box::new(sgd(Cosine::new(0.01).steps(50).floor(0.001)))),
        ("sgd, steps", Box::new(sgd(StepDecay::new(0.01, 3).gamma(0.5)))),
        ("adadelta", Box::new(adadelta(1.0))),
        ("adadelta, settings", Box::new(adadelta(0.5).rho(0.8).epsilon(1e-3).weight_decay(0.1))),
        ("adadelta, keras", Box::new(adadelta(1e-3).keras())),
        ("adagrad", Box::new(adagrad(0.01))),
        (
            "adagrad, settings",
            Box::new(adagrad(0.1).lr_decay(0.1).weight_decay(0.1).initial_accumulator(0.5).epsilon(1e-3)),
        ),
        ("adagrad, keras", Box::new(adagrad(1e-3).keras())),
        ("adamax", Box::new(adamax(2e-3))),
        ("adamax, settings", Box::new(adamax(0.01).betas(0.8, 0.9).epsilon(1e-3).weight_decay(0.1))),
        ("adamax, keras", Box::new(adamax(1e-3).keras())),
        ("adamaxw", Box::new(adamaxw(2e-3))),
        ("adamaxw, settings", Box::new(adamaxw(0.01).betas(0.8, 0.9).epsilon(1e-3).weight_decay(0.5))),
        ("adam, amsgrad", Box::new(adam(1e-2).betas(0.9, 0.9).amsgrad())),
        ("adamw, amsgrad", Box::new(adamw(1e-2).betas(0.9, 0.9).weight_decay(0.5).amsgrad())),
        ("amsgrad", Box::new(amsgrad(1e-2).betas(0.9, 0.9))),
        ("amsgrad, coupled decay", Box::new(amsgrad(1e-2).betas(0.8, 0.7).epsilon(1e-3).weight_decay(0.1))),
        ("amsgrad, decoupled decay", Box::new(amsgrad(1e-2).betas(0.9, 0.9).decoupled_weight_decay(0.5))),
        ("amsgrad, keras", Box::new(amsgrad(1e-2).betas(0.9, 0.9).keras())),
        ("asgd", Box::new(asgd(0.01))),
        ("asgd, settings", Box::new(asgd(0.05).lambd(0.1).alpha(0.6).t0(5.0).weight_decay(0.1))),
        ("nadam", Box::new(nadam(2e-3))),
        (
            "nadam, coupled decay",
            Box::new(nadam(0.01).betas(0.8, 0.9).epsilon(1e-3).weight_decay(0.1).momentum_decay(0.3)),
        ),
        ("nadam, decoupled decay", Box::new(nadam(0.01).decoupled_weight_decay(0.5))),
        ("nadam, keras", Box::new(nadam(1e-3).keras())),
        ("nadamw", Box::new(nadamw(2e-3))),
        ("nadamw, settings", Box::new(nadamw(0.01).betas(0.8, 0.9).epsilon(1e-3).weight_decay(0.5))),
        ("radam", Box::new(radam(0.01))),
        ("radam, coupled decay", Box::new(radam(0.01).betas(0.8, 0.95).epsilon(1e-3).weight_decay(0.1))),
        ("radam, decoupled decay", Box::new(radam(0.01).decoupled_weight_decay(0.5))),
        ("rprop", Box::new(rprop(0.01))),
        ("rprop, settings", Box::new(rprop(0.1).etas(0.4, 1.5).step_sizes(0.01, 0.2))),
        ("adan", Box::new(adan(0.01))),
        ("adan, settings", Box::new(adan(0.01).betas(0.9, 0.8, 0.95).epsilon(1e-3).weight_decay(0.5))),
        ("ademamix", Box::new(ademamix(1e-3))),
        (
            "ademamix, settings",
            Box::new(ademamix(0.01).betas(0.8, 0.9, 0.95).alpha(3.0).epsilon(1e-3).weight_decay(0.5)),
        ),
        (
            "ademamix, warm-up",
            Box::new(ademamix(0.01).betas(0.9, 0.99, 0.999).alpha(4.0).warmup(30).weight_decay(0.5)),
        ),
        ("lion", Box::new(lion(1e-3))),
        ("lion, settings", Box::new(lion(0.01).betas(0.5, 0.8).weight_decay(0.5))),
        ("ftrl", Box::new(ftrl(1e-3))),
        (
            "ftrl, settings",
            Box::new(ftrl(0.1).initial_accumulator(0.5).l1(0.3).l2(0.2).l2_shrinkage(0.1).beta(0.7)),
        ),
        ("ftrl, power", Box::new(ftrl(0.1).learning_rate_power(-0.3))),
        ("adabelief", Box::new(adabelief(1e-3))),
        (
            "adabelief, settings",
            Box::new(adabelief(0.01).betas(0.8, 0.9).epsilon(1e-3).epsilon_root(1e-4).weight_decay(0.5)),
        ),
        ("sign_sgd", Box::new(sign_sgd(1e-3))),
        ("signum", Box::new(signum(1e-3))),
        ("signum, settings", Box::new(signum(0.01).beta(0.5))),
        ("yogi", Box::new(yogi(0.01))),
        ("yogi, settings", Box::new(yogi(0.1).betas(0.8, 0.9).epsilon(0.1))),
        ("optimistic_gradient_descent", Box::new(optimistic_sgd(0.01))),
        ("optimistic_gradient_descent, settings", Box::new(optimistic_sgd(0.01).alpha(0.5).beta(0.3))),
        ("optimistic_adam", Box::new(optimistic_adam(1e-3))),
        (
            "optimistic_adam, settings",
            Box::new(
                optimistic_adam(0.01).alpha(0.5).beta(0.3).betas(0.8, 0.9).epsilon(1e-3).nesterov(false),
            ),
        ),
        ("acprop", Box::new(acprop(1e-3))),
        (
            "acprop, settings",
            Box::new(acprop(0.01).betas(0.8, 0.9).epsilon(1e-3).epsilon_root(1e-4).weight_decay(0.5)),
        ),
        ("simplified_ademamix", Box::new(simplified_ademamix(1e-5))),
        (
            "simplified_ademamix, settings",
            Box::new(simplified_ademamix(1e-3).betas(0.9, 0.9).alpha(3.0).epsilon(1e-3).weight_decay(0.5)),
        ),
        ("adopt", Box::new(adopt(1e-3))),
        ("adopt, settings", Box::new(adopt(0.01).betas(0.8, 0.9).epsilon(0.1))),
        ("madgrad", Box::new(madgrad(0.01))),
        ("madgrad, settings", Box::new(madgrad(1e-3).momentum(0.5).weight_decay(0.1).epsilon(1e-3))),
    ]
}
