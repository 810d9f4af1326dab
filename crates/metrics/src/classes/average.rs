//! Averages over classes.

use chainrule_core::{DescriptionError, Place, SettingValue, Value, same_name};

use crate::{ClassCounts, MetricValue, OneClass, Task, Undefined};

/// What is made of the figures of several classes, or of several labels. The words are those of scikit-learn and torchmetrics.
///
/// Of a single output, the value is the figure of class 1, whatever the average is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Average {
    /// The mean of the figures, each class counting the same.
    #[default]
    Macro,
    /// One figure, of the samples of all classes taken together.
    Micro,
    /// The mean of the figures, each class counting as often as it occurs.
    Weighted,
    /// The figure of each class, as a vector.
    PerClass,
}

impl Average {
    /// The average of the figures that `figure` makes of each class.
    ///
    /// A figure that is undefined counts as `zero_division`; without that, the class is left out.
    pub(crate) fn of(
        self,
        counts: &ClassCounts,
        zero_division: Option<f64>,
        figure: impl Fn(OneClass) -> Result<f64, Undefined>,
    ) -> MetricValue {
        if let Err(undefined) = counts.check() {
            return MetricValue::Undefined(undefined);
        }
        let figure = |class| figure(class).or_else(|undefined| zero_division.ok_or(undefined));
        if counts.task() == Task::Binary {
            let yes = counts.each_class().nth(1).unwrap_or_default();
            return figure(yes).into();
        }
        if self == Self::Micro {
            let all = counts.each_class().reduce(|a, b| a + b).unwrap_or_default();
            return figure(all).into();
        }
        let figures = counts.each_class().map(|class| (figure(class), class.support()));
        self.of_figures(figures.collect())
    }

    /// The average of figures, each with how often its class occurs.
    pub(crate) fn of_figures(self, figures: Vec<(Result<f64, Undefined>, f64)>) -> MetricValue {
        if self == Self::PerClass {
            return MetricValue::Vector(figures.into_iter().map(|(figure, _)| figure).collect());
        }
        let weight = |support| if self == Self::Weighted { support } else { 1.0 };
        let mut sum = [0.0, 0.0];
        let mut reason = Undefined("no sample is of any class");
        for (figure, support) in figures {
            match figure {
                Ok(figure) => sum = [sum[0] + figure * weight(support), sum[1] + weight(support)],
                Err(undefined) => reason = undefined,
            }
        }
        match sum {
            [_, 0.0] => MetricValue::Undefined(reason),
            [sum, weight] => MetricValue::number(sum / weight),
        }
    }
}

impl SettingValue for Average {
    fn from_value(value: &Value, place: &Place<'_>) -> Result<Self, DescriptionError> {
        let text = match value {
            Value::None => "none",
            Value::Text(text) => text,
            _ => "",
        };
        let words = [
            ("macro", Self::Macro),
            ("micro", Self::Micro),
            ("weighted", Self::Weighted),
            ("per_class", Self::PerClass),
            ("none", Self::PerClass),
        ];
        let found = words.into_iter().find(|(word, _)| same_name(word, text));
        found
            .map(|(_, average)| average)
            .ok_or_else(|| place.wrong(value, "macro, micro, weighted or per_class"))
    }

    fn to_value(&self) -> Value {
        Value::from(match self {
            Self::Macro => "macro",
            Self::Micro => "micro",
            Self::Weighted => "weighted",
            Self::PerClass => "per_class",
        })
    }
}
