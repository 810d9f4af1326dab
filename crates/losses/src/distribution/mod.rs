//! Losses that are likelihoods of distributions, or distances between them.

mod gaussian_nll;
mod kl_divergence;
mod poisson;
mod poisson_nll;

pub use gaussian_nll::GaussianNll;
pub use kl_divergence::KlDivergence;
pub use poisson::Poisson;
pub use poisson_nll::PoissonNll;
