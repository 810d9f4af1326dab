//! The cases of `reference.py`.

use chainrule_optim::{Graft, Real, UpdateRule, shampoo, soap};

/// Each with the name that the script gives it.
pub(crate) fn every_case<T: Real>() -> Vec<(&'static str, Box<dyn UpdateRule<T>>)> {
    vec![
        ("shampoo", Box::new(shampoo(0.1).every(1))),
        ("shampoo, settings", Box::new(shampoo(0.05).every(1).epsilon(0.1).weight_decay(0.2))),
        (
            "shampoo, grafted",
            Box::new(
                shampoo(0.02)
                    .momentum(0.9)
                    .nesterov()
                    .beta(0.8)
                    .epsilon(1e-15)
                    .weight_decay(0.1)
                    .every(1)
                    .max_size(3)
                    .graft(Graft::Sgd),
            ),
        ),
        ("shampoo, every 7", Box::new(shampoo(0.05).every(7).epsilon(1e-3))),
        ("shampoo, means", Box::new(shampoo(0.05).every(3).epsilon(1e-2).beta(0.9).momentum(0.8))),
        ("shampoo, grafted means", Box::new(shampoo(0.05).every(4).beta(0.9).graft(Graft::Adagrad))),
        ("shampoo, grafted sums", Box::new(shampoo(0.05).every(1).momentum(0.5).graft(Graft::Adagrad))),
        ("shampoo, limited", Box::new(shampoo(0.05).every(2).max_size(3))),
        ("soap", Box::new(soap(0.01))),
        (
            "soap, settings",
            Box::new(
                soap(0.02)
                    .betas(0.8, 0.9)
                    .shampoo_beta(0.7)
                    .epsilon(1e-3)
                    .weight_decay(0.1)
                    .every(3)
                    .without_correction(),
            ),
        ),
        ("soap, every 1", Box::new(soap(0.02).every(1))),
        ("soap, limited", Box::new(soap(0.02).every(4).max_size(3))),
        ("soap, normalized", Box::new(soap(0.02).epsilon(1e-4).normalize())),
    ]
}
