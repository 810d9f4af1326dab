//! What an audit has seen of a training so far, and what it makes of it.

use chainrule_core::Plan;

use super::finding::{AuditFinding, Fault};
use super::gradients::{self, ZeroGradients};
use super::layers::SeenLayers;
use super::progress::Progress;
use super::rate::{self, Outcome};
use super::{Audit, outputs};

/// After how many steps the layers are looked at, besides before the first and after the last.
const LOOKS: [usize; 2] = [10, 40];

/// How far an audit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Waiting,
    Running,
    Over,
}

/// What the layers did at one moment.
#[derive(Debug)]
struct Look {
    /// From which layer on the output was the same for all samples.
    constant: Option<String>,
    /// The gradients that were 0; `None` if they could not be seen.
    zero: Option<ZeroGradients>,
    /// The layers in the backward pass.
    seen: SeenLayers,
}

/// The audit of one training.
#[derive(Debug)]
pub(crate) struct Auditor {
    audit: Audit,
    phase: Phase,
    pub(crate) progress: Progress,
    looks: Vec<Look>,
    /// After how many steps the last look was.
    looked: usize,
    /// Whether the samples differ from each other.
    pub(crate) differ: bool,
    /// Whether targets can be told from each other.
    pub(crate) targets_differ: bool,
    /// Whether the model predicted samples that it had not seen.
    pub(crate) predicts: Option<bool>,
}

impl Auditor {
    pub(crate) fn new(audit: Audit) -> Self {
        Self {
            audit,
            phase: Phase::Waiting,
            progress: Progress::default(),
            looks: Vec::new(),
            looked: 0,
            differ: true,
            targets_differ: true,
            predicts: None,
        }
    }

    pub(crate) fn begin(&mut self, progress: Progress) {
        self.phase = Phase::Running;
        self.progress = progress;
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.phase == Phase::Waiting
    }

    pub(crate) fn is_running(&self) -> bool {
        self.phase == Phase::Running
    }

    /// Ends, whether anything was found or not.
    pub(crate) fn end(&mut self) {
        *self = Self { phase: Phase::Over, ..Self::new(self.audit) };
    }

    /// Whether the last step was taken.
    pub(crate) fn is_complete(&self) -> bool {
        self.progress.steps() as u64 >= self.audit.steps
    }

    /// Whether it is time to look at the layers.
    pub(crate) fn wants_look(&self) -> bool {
        let steps = self.progress.steps();
        LOOKS.contains(&steps) || self.is_complete()
    }

    /// Whether the layers were looked at since the last step.
    pub(crate) fn has_looked(&self) -> bool {
        self.looked == self.progress.steps() && !self.looks.is_empty()
    }

    /// The layers were looked at: in an evaluation, and, if that could be, in a pass of the training with its gradients.
    pub(crate) fn look(&mut self, evaluation: &SeenLayers, training: Option<(SeenLayers, ZeroGradients)>) {
        let constant = outputs::constant_from(evaluation).map(str::to_owned);
        let (seen, zero) = match training {
            Some((seen, zero)) => (seen, Some(zero)),
            None => (SeenLayers::default(), None),
        };
        self.looked = self.progress.steps();
        self.looks.push(Look { constant, zero, seen });
    }

    /// What was found by looking at layers, losses and weights, now that the audit or the training ends.
    pub(crate) fn findings(&self, plan: &Plan, outcome: Outcome) -> Vec<AuditFinding> {
        let mut found = Vec::new();
        found.extend(self.constant().map(|path| outputs::constant(plan, path)));
        let of_gradients = self.of_gradients(plan).into_iter();
        // What is multiplied by 0 gets no gradient: that is the same fault.
        let is_known = |finding: &AuditFinding| !found.is_empty() && finding.fault == Fault::ZeroInputs;
        let of_gradients: Vec<_> = of_gradients.filter(|finding| !is_known(finding)).collect();
        found.extend(of_gradients);
        let collapsed = self.constant().is_some_and(|_| self.looks[0].constant.is_none());
        let rate = rate::wrong(&self.progress, Outcome { collapsed, ..outcome });
        // What gets no gradient does not move, at any rate.
        let is_reason = |rate: &AuditFinding| {
            found.is_empty() || rate.fault == Fault::RateTooHigh || outcome.highest == Some(0.0)
        };
        let rate: Vec<_> = rate.into_iter().filter(is_reason).collect();
        rate.into_iter().chain(found).collect()
    }

    /// From which layer on the output is the same for all samples: at the end, and already the time before.
    fn constant(&self) -> Option<&str> {
        let [.., before, last] = self.looks.as_slice() else { return None };
        let path = last.constant.as_deref().filter(|_| self.differ)?;
        // What begins with zeros is the same for all samples before the first step.
        let began = self.looks.len() == 2 && self.looked < LOOKS[0];
        (before.constant.is_some() && !began).then_some(path)
    }

    fn of_gradients(&self, plan: &Plan) -> Vec<AuditFinding> {
        let looks: Option<Vec<_>> =
            self.looks.iter().map(|look| look.zero.as_ref().map(|zero| (zero, &look.seen))).collect();
        let Some([.., (before, seen_before), (last, seen)]) = looks.as_deref() else { return Vec::new() };
        // A gradient that is 0 only in the beginning, or only where everything is learnt, is not missing.
        let mut always = (*last).clone();
        looks.iter().flatten().for_each(|(zero, _)| always.and(zero));
        let mut found = gradients::missing(plan, &always, seen);
        let mut dead = (*last).clone();
        dead.and(before);
        if seen.with_gradient.min(seen_before.with_gradient) > 0.5 {
            found.extend(gradients::dead_units(plan, &dead, seen));
        }
        found
    }
}
