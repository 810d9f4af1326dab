//! The section `early_stopping`.

use chainrule::optim::schedule::Better;
use chainrule::train::callbacks::EarlyStopping;

use crate::error::ConfigError;
use crate::location::Located;
use crate::node::ConfigNode;
use crate::section::ConfigSection;

/// When a training ends before its last epoch. The weights of the best validation come back.
#[derive(Clone, Debug, PartialEq)]
pub struct StoppingSection {
    /// After how many validations without an improvement: one for each epoch, unless there are more within it.
    pub patience: u64,
    /// The metric that is to improve, and which value of it is better; the loss without one.
    pub metric: Option<(Located<String>, Better)>,
    /// By how much it has to.
    pub min_delta: f64,
}

impl StoppingSection {
    pub(crate) fn of_node(node: &ConfigNode) -> Result<Self, ConfigError> {
        let known = &["patience", "metric", "better", "min_delta"];
        let section = ConfigSection::new("early_stopping", node, known)?;
        let patience = section.whole("patience", 1)?;
        let metric = section.text("metric")?;
        let better = section.text("better")?;
        let metric = match (metric, better) {
            (None, None) => None,
            (Some(metric), Some(better)) => {
                let value = match &*better.value {
                    "lower" => Better::Min,
                    "higher" => Better::Max,
                    other => {
                        let (at, key, found) = (better.at, section.path("better"), format!("{other:?}"));
                        let allowed = "\"lower\" or \"higher\"".to_owned();
                        return Err(ConfigError::Value { at, key, found, allowed });
                    }
                };
                Some((metric, value))
            }
            (Some(_), None) => {
                return Err(section.missing(
                    "better",
                    "\"higher\" if a higher value of the metric is better, else \"lower\"",
                ));
            }
            (None, Some(_)) => {
                return Err(section.missing(
                    "metric",
                    "the name of a metric, or leave out `better`: of the loss, lower is",
                ));
            }
        };
        Ok(Self {
            patience: patience
                .ok_or_else(|| section.missing("patience", "a number of epochs, such as 10"))?,
            metric,
            min_delta: section.number("min_delta")?.map_or(0.0, |number| number.value),
        })
    }

    /// The callback.
    pub fn callback(&self) -> EarlyStopping<f32> {
        let stopping = EarlyStopping::new(self.patience).min_delta(self.min_delta).restore_best();
        match &self.metric {
            Some((metric, better)) => stopping.monitor(&metric.value, *better),
            None => stopping,
        }
    }
}
