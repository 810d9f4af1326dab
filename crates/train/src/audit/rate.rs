//! A learning rate that is far too high or far too low.

use super::finding::{AuditFinding, Fault};
use super::progress::Progress;

/// A step that changes the weights by a larger part of their size is a large one.
const LARGE_STEP: f64 = 0.1;

/// A training that moves no weight by more than this part of its size does not train.
const SMALL_WAY: f64 = 0.01;

/// How much lower the loss has to be than in the beginning to be lower at all.
const LOWER: f64 = 0.01;

/// What the rate did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    /// Whether the output, which depended on the input, no longer does.
    pub(crate) collapsed: bool,
    /// Whether a step was not finite.
    pub(crate) diverged: bool,
    /// How far the weights have come, relative to their size.
    pub(crate) distance: Option<f64>,
    /// How many times the way so far is the way of the whole training, if it goes on as it began.
    pub(crate) times: f64,
    /// The number of steps of the whole training.
    pub(crate) planned: u64,
    /// The highest rate of the whole training, if the optimizer has one.
    pub(crate) highest: Option<f64>,
}

/// What is wrong with the rate.
pub(crate) fn wrong(progress: &Progress, outcome: Outcome) -> Option<AuditFinding> {
    let Outcome { collapsed, diverged, distance, times, planned, highest } = outcome;
    if highest == Some(0.0) {
        let text = "the learning rate is 0 in all steps, so that nothing is trained: choose one such as 0.001 for Adam, or 0.1 for SGD";
        return Some(AuditFinding::new(Fault::RateTooLow, text));
    }
    let rate = highest.map_or(String::new(), |rate| format!(", {rate},"));
    let (initial, loss) = (progress.initial?, progress.loss());
    let steps = progress.steps();
    let stays = loss.is_some_and(|loss| loss > initial - LOWER * initial.abs());
    let large = progress.largest_change > LARGE_STEP;
    if large && (diverged || collapsed || (stays && steps >= 20)) {
        let change = 100.0 * progress.largest_change;
        let outcome = match loss {
            _ if diverged => "and then a step was not finite".to_owned(),
            _ if collapsed => "and the output no longer depends on the input".to_owned(),
            Some(loss) => format!("and after {steps} steps the loss is {loss:.4}, from {initial:.4}"),
            None => return None,
        };
        let text = format!(
            "the learning rate{rate} is far too high: single steps change the weights by {change:.0} % of their size, {outcome}; lower it, to begin with by a factor of 10 to 100, or find one with `RateFinder`"
        );
        return Some(AuditFinding::new(Fault::RateTooHigh, text));
    }
    let whole_way = distance? * times.max(1.0);
    if stays && steps >= 20 && whole_way < SMALL_WAY {
        let text = format!(
            "the learning rate{rate} is far too low: at this pace no weight changes by more than {:.1e} of its size in all {planned} steps, and the loss does not fall; raise it by a factor of 10 to 1000, or find one with `RateFinder`",
            whole_way
        );
        return Some(AuditFinding::new(Fault::RateTooLow, text));
    }
    None
}
