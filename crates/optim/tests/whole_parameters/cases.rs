//! The cases of `reference.py`.

use chainrule_optim::{
    AdaptiveClip, ClipByNorm, Ema, L1L2, LineSearch, Lookahead, MaxNorm, MinMaxNorm, MuonScale, NonNegative,
    OrthogonalMode, OrthogonalPenalty, PolyakVariant, Real, Sam, Swa, UnitNorm, UpdateRule, adafactor, adam,
    cocob, dadapt_adamw, dog, dowg, fromage, lamb, lars, lbfgs, mechanic, momo, muon, novograd, polyak_sgd,
    prodigy, schedule_free_adamw, schedule_free_sgd, sgd,
};

/// Where the gradients of a case come from.
#[derive(Clone, Copy)]
pub(crate) enum Feed {
    /// The list of the file, for so many steps, with its losses.
    Gradients(usize),
    /// The function `valley`, for so many steps.
    Valley(usize),
}

pub(crate) struct Case<T: Real> {
    pub(crate) name: &'static str,
    pub(crate) optimizer: Box<dyn UpdateRule<T>>,
    pub(crate) feed: Feed,
    /// Whether what is evaluated is compared, in place of the trained parameters.
    pub(crate) averaged: bool,
    /// By how much the tolerance is looser, where errors grow from step to step.
    pub(crate) looser: f64,
    /// The tolerance is at least this, where the other library computes something in single precision.
    pub(crate) at_least: f64,
}

fn case<T: Real>(name: &'static str, optimizer: impl UpdateRule<T> + 'static) -> Case<T> {
    Case {
        name,
        optimizer: Box::new(optimizer),
        feed: Feed::Gradients(50),
        averaged: false,
        looser: 1.0,
        at_least: 0.0,
    }
}

/// Optimizers of which a mean of the weights is evaluated.
fn averaged<T: Real>(name: &'static str, optimizer: impl UpdateRule<T> + 'static) -> Case<T> {
    Case { averaged: true, ..case(name, optimizer) }
}

/// Optimizers that go down a valley.
fn valley<T: Real>(name: &'static str, steps: usize, optimizer: impl UpdateRule<T> + 'static) -> Case<T> {
    Case { feed: Feed::Valley(steps), looser: 100.0, ..case(name, optimizer) }
}

pub(crate) fn every_case<T: Real>() -> Vec<Case<T>> {
    let orthogonal = |mode| OrthogonalPenalty { factor: 0.5, mode };
    let slow = || (sgd(0.1), Lookahead { alpha: 0.3, every: 5 });
    let sam = |adaptive| Sam { rho: 0.1, adaptive };
    let free = || schedule_free_adamw(0.02);
    vec![
        case("lars", lars(0.1).weight_decay(0.1).trust_coefficient(0.02)),
        case("lars, nesterov", lars(0.1).nesterov().epsilon(1e-3).trust_coefficient(0.05)),
        case("lamb", lamb(0.01)),
        case("lamb, settings", lamb(0.01).betas(0.8, 0.99).epsilon(1e-3).weight_decay(0.1)),
        case("fromage", fromage(0.02)),
        case("novograd", novograd(0.01).betas(0.8, 0.5).epsilon(1e-3)),
        case("adafactor", adafactor(0.02)),
        case(
            "adafactor, settings",
            adafactor(0.02).beta2_decay(-0.5).epsilons(1e-3, 1e-2).threshold(1.5).weight_decay(0.1),
        ),
        case("muon", muon(0.02)),
        case("muon, settings", muon(0.02).without_nesterov().scale(MuonScale::MatchAdamW)),
        case("dog", dog(1.0).weight_decay(0.1)),
        case("dowg", dowg(1.0).weight_decay(0.1)),
        case("dadapt_adamw", dadapt_adamw(1.0).d0(1e-3)),
        case("prodigy", prodigy(1.0).distance(1e-3, 1.0)),
        case(
            "prodigy, settings",
            prodigy(0.5).betas(0.8, 0.99).beta3(0.9).distance(1e-2, 2.0).safeguard_warmup(),
        ),
        case("cocob", cocob().weight_decay(0.1)),
        case("mechanic", mechanic(adam(1e-2)).first_scale(1e-2)),
        case("momo", momo(0.1).weight_decay(0.1)),
        case("polyak_sgd", polyak_sgd(0.5).minimum(1.0).variant(PolyakVariant::SpsPlus)),
        case("adaptive_clip", (AdaptiveClip { clipping: 0.05, epsilon: 1e-3 }, sgd(0.1))),
        case("clip_by_norm", (ClipByNorm(1.5), sgd(0.1))),
        case("max_norm", (sgd(0.1), MaxNorm(0.7))),
        case("min_max_norm", (sgd(0.1), MinMaxNorm { min: 0.5, max: 0.7, rate: 0.8 })),
        case("unit_norm", (sgd(0.1), UnitNorm)),
        case("non_neg", (sgd(0.1), NonNegative)),
        case("l1_l2", (L1L2 { l1: 0.03, l2: 0.02 }, sgd(0.1))),
        case("orthogonal, rows", (orthogonal(OrthogonalMode::Rows), sgd(0.1))),
        case("orthogonal, columns", (orthogonal(OrthogonalMode::Columns), sgd(0.1))),
        averaged("schedule_free_adamw", free().weight_decay(0.1).warmup(10)),
        averaged("schedule_free_adamw, settings", free().betas(0.8, 0.99).epsilon(1e-3).weights(1.0, 1.0)),
        averaged("schedule_free_sgd", schedule_free_sgd(0.1).momentum(0.8).weight_decay(0.1).warmup(5)),
        averaged("ema", (sgd(0.1), Ema { decay: 0.9, every: 1 })),
        averaged("swa", (sgd(0.1), Swa { start: 0, every: 1, by_epoch: false })),
        Case { feed: Feed::Gradients(48), ..case("lookahead, 48 steps", slow()) },
        Case { feed: Feed::Gradients(48), ..averaged("lookahead, 48 steps, slow", slow()) },
        // pytorch_optimizer takes the norm in single precision.
        Case { at_least: 1e-7, ..valley("sam", 50, (sam(false), sgd(0.05).momentum(0.9))) },
        Case { at_least: 1e-7, ..valley("sam, adaptive", 50, (sam(true), sgd(0.05).momentum(0.9))) },
        valley("lbfgs, 1 step", 1, lbfgs(1.0).max_iter(6).history(4)),
        valley("lbfgs, 3 steps", 3, lbfgs(1.0).max_iter(5).history(3)),
        valley("lbfgs, fixed", 3, lbfgs(0.3).max_iter(4).history(5).line_search(LineSearch::Fixed)),
    ]
}
