use std::sync::Arc;

use chainrule_core::{Range, describe, described};

use super::multi_step::check_order;
use super::{ReduceOnPlateau, Schedule};
use crate::{Run, SettingError, Step};

/// One schedule after the other (PyTorch's `SequentialLR`, optax' `join_schedules`): each begins with its step 0 at its milestone.
///
/// In a text it is `linear(1000) then cosine`, where each but the last says its number of steps. A schedule that leaves out its length
/// lasts until the next milestone, the last one until the end of the run.
///
/// ```
/// use chainrule_optim::schedule::{Cosine, SequentialSchedule};
/// SequentialSchedule::new(0.1).then_at(1000, Cosine::new(0.1));
/// ```
#[derive(Clone, Debug)]
pub struct SequentialSchedule {
    schedules: Vec<Arc<dyn Schedule>>,
    milestones: Vec<u64>,
}

describe! {
    /// One schedule after the other, each beginning at its milestone.
    SequentialSchedule = "sequential";
    aliases ["SequentialLR", "join_schedules"];
    formula "η(s) = ηₖ(s - milestoneₖ)";
    source "PyTorch's SequentialLR";
    settings {
        /// The schedules.
        schedules ("schedulers"): required;
        /// The steps at which the second and the following begin, in order.
        milestones ("boundaries"): required, Range::NOT_NEGATIVE;
    }
}

impl SequentialSchedule {
    /// The first schedule, or a constant rate.
    pub fn new(first: impl Schedule + 'static) -> Self {
        Self { schedules: vec![Arc::new(first)], milestones: Vec::new() }
    }

    /// The next schedule, which begins at this step.
    #[must_use]
    pub fn then_at(mut self, milestone: u64, schedule: impl Schedule + 'static) -> Self {
        self.schedules.push(Arc::new(schedule));
        self.milestones.push(milestone);
        self.filled(None).unwrap_or(self)
    }

    /// The schedule that is followed in a step, and its own step.
    fn at(&self, step: Step) -> (Option<&Arc<dyn Schedule>>, Step) {
        let index = self.milestones.partition_point(|&milestone| milestone <= step.index);
        let begin = index.checked_sub(1).map_or(0, |before| self.milestones[before]);
        let end = self.milestones.get(index).copied().or(step.run.steps);
        let run = Run { steps: end.map(|end| end.saturating_sub(begin)), ..step.run };
        (self.schedules.get(index), Step { index: step.index - begin, run })
    }

    /// The same with what the schedules leave out filled in, by this rate or by the schedule before; `None` if nothing is.
    fn filled(&self, rate: Option<f64>) -> Option<Self> {
        let mut all = self.clone();
        let mut any = false;
        let mut begin = 0;
        for index in 0..self.schedules.len() {
            let schedule = &all.schedules[index];
            let milestone = index.checked_sub(1).and_then(|before| self.milestones.get(before).copied());
            let length = milestone.map(|milestone| milestone.saturating_sub(begin));
            let before = length.filter(|_| schedule.continues()).map(|length| {
                let run = Run { steps: Some(length), ..Run::default() };
                all.schedules[index - 1].rate(Step { index: length, run })
            });
            let rate = before.filter(|rate| rate.is_finite()).or(rate);
            if let Some(schedule) = rate.and_then(|rate| schedule.with_rate(rate)) {
                all.schedules[index] = schedule;
                any = true;
            }
            begin = milestone.unwrap_or(begin);
        }
        any.then_some(all)
    }
}

impl Schedule for SequentialSchedule {
    fn rate(&self, step: Step) -> f64 {
        let (schedule, step) = self.at(step);
        schedule.map_or(f64::NAN, |schedule| schedule.rate(step))
    }

    fn length(&self) -> Option<u64> {
        let last = self.schedules.last()?.length()?;
        Some(self.milestones.last().copied().unwrap_or(0).saturating_add(last))
    }

    fn with_rate(&self, rate: f64) -> Option<Arc<dyn Schedule>> {
        self.filled(Some(rate)).map(|filled| Arc::new(filled) as _)
    }

    fn plateau(&self) -> Option<&ReduceOnPlateau> {
        self.schedules.iter().find_map(|schedule| schedule.plateau())
    }

    fn validate(&self) -> Result<(), SettingError> {
        check_order("SequentialSchedule", &self.milestones)?;
        if self.schedules.len() != self.milestones.len() + 1 {
            let conflict = "it does not have one more schedule than milestones: give each schedule but the first its milestone";
            return Err(SettingError::Conflict { owner: "SequentialSchedule", conflict });
        }
        self.schedules.iter().try_for_each(|schedule| schedule.validate())
    }

    described!();
}

/// The schedules of `a then b then c`, of which each but the last has a length.
///
/// # Errors
///
/// [`SettingError::Conflict`] if one has none.
pub fn one_after_the_other(parts: Vec<Arc<dyn Schedule>>) -> Result<Arc<dyn Schedule>, SettingError> {
    let mut parts = parts.into_iter().rev();
    let mut rest: Vec<Arc<dyn Schedule>> = parts.next().into_iter().collect();
    for part in parts {
        let following = joined(rest.clone())?;
        match part.in_front_of(&following) {
            Some(both) => rest = vec![both],
            None => rest.insert(0, part),
        }
    }
    joined(rest)
}

fn joined(schedules: Vec<Arc<dyn Schedule>>) -> Result<Arc<dyn Schedule>, SettingError> {
    let before = match &schedules[..] {
        [alone] => return Ok(Arc::clone(alone)),
        [before @ .., _] => before,
        [] => {
            let conflict = "it has no schedules: give it one";
            return Err(SettingError::Conflict { owner: "SequentialSchedule", conflict });
        }
    };
    let conflict = "a schedule that another follows does not say its number of steps: give it `steps`, or list `schedules` and `milestones`";
    let endless = SettingError::Conflict { owner: "SequentialSchedule", conflict };
    let mut milestones = Vec::new();
    for schedule in before {
        let length = schedule.length().ok_or_else(|| endless.clone())?;
        milestones.push(milestones.last().copied().unwrap_or(0u64).saturating_add(length));
    }
    let all = SequentialSchedule { schedules, milestones };
    Ok(Arc::new(all.filled(None).unwrap_or(all)))
}
