//! How the metrics of scores are written: what outputs and targets are is the same for all.

/// Defines a metric of probabilities, or of scores, with its own settings and those that say what they are.
macro_rules! of_probabilities {
    (
        $(#[doc = $summary:literal])+
        $name:ident = $text:literal;
        aliases [$($alias:literal),*];
        formula $formula:literal;
        source $source:literal;
        about $more:literal;
        settings { $($own:tt)* }
    ) => {
        $crate::definition::definition! {
            $(#[doc = $summary])+
            $name = $text;
            aliases [$($alias),*];
            formula $formula;
            source $source;
            about $more;
            settings {
                $($own)*
                /// Whether the outputs are logits; else they are probabilities.
                from_logits: bool = true, true;
                /// Whether each column is a yes or no of its own.
                labels ("multilabel", "multi_label"): bool = false, false;
                /// The class of samples that do not count.
                ignore_index ("ignore_class"): Option<usize> = None, none;
            }
        }

        impl $name {
            /// For outputs that are probabilities; without it they are logits.
            pub fn from_probabilities() -> Self {
                Self { from_logits: false, ..$name }
            }

            /// Takes each column for a label of its own, a yes or no, so that several may be right at once.
            #[must_use]
            pub fn labels(self) -> Self {
                Self { labels: true, ..self }
            }

            fn decision(&self) -> $crate::Decision {
                let Self { from_logits, labels, ignore_index, .. } = *self;
                $crate::Decision { from_logits, labels, ignore_index, ..$crate::Decision::LOGITS }
            }
        }
    };
}
pub(crate) use of_probabilities;

/// Defines a metric of [`ScoreCounts`](crate::ScoreCounts). Its value is a function of the metric and the counts, which are neither
/// empty nor contain NaN.
macro_rules! of_scores {
    (
        $(#[doc = $summary:literal])+
        $name:ident = $text:literal;
        aliases [$($alias:literal),*];
        formula $formula:literal;
        source $source:literal;
        settings { $($own:tt)* }
        $of:expr
    ) => {
        $crate::curves::definition::of_probabilities! {
            $(#[doc = $summary])+
            $name = $text;
            aliases [$($alias),*];
            formula $formula;
            source $source;
            about "It keeps the scores of all samples and is exact, or, with `thresholds`, counts the samples above so many thresholds from 0 to 1. Several columns are the scores of as many classes, each against all others, or, with `labels`, of as many labels.";
            settings {
                $($own)*
                /// The number of thresholds that scores are compared with; none for all scores that occur.
                thresholds ("num_thresholds", "bins"): Option<usize> = None, none, chainrule_core::Range::between(2.0, 1e9, "at least 2");
            }
        }

        impl $name {
            /// Compares scores with this many thresholds from 0 to 1, so that no sample is kept.
            #[must_use]
            pub fn thresholds(self, thresholds: usize) -> Self {
                Self { thresholds: Some(thresholds), ..self }
            }

            fn scoring(&self) -> $crate::curves::score_counts::Scoring {
                $crate::curves::score_counts::Scoring { decision: self.decision(), thresholds: self.thresholds }
            }
        }

        impl $crate::Statistic for $name {
            type Counts = $crate::ScoreCounts;

            fn value(&self, counts: &$crate::ScoreCounts) -> $crate::MetricValue {
                let of: fn(&Self, &$crate::ScoreCounts) -> $crate::MetricValue = $of;
                match counts.check() {
                    Ok(()) => of(self, counts),
                    Err(undefined) => $crate::MetricValue::Undefined(undefined),
                }
            }
        }

        impl<T: $crate::Real, Y: $crate::Target<T>> $crate::Count<T, Y> for $name {
            fn count(&self, counts: &mut Self::Counts, y: $crate::ArrayView2<'_, T>, targets: &[Y]) {
                self.scoring().count(counts, y, targets);
            }

            fn accepts(&self, columns: usize, targets: &[Y]) -> Result<(), $crate::TargetError> {
                self.decision().check($text, columns, targets)
            }

            fn reads(&self, columns: usize, _: &[Y]) -> Option<$crate::Outputs> {
                self.scoring().reads(columns)
            }
        }
    };
}
pub(crate) use of_scores;

/// Defines a metric of [`CalibrationCounts`](crate::CalibrationCounts), one of whose settings is `bins`. Its value is a function of
/// the metric and of the bins that are not empty.
macro_rules! of_confidences {
    (
        $(#[doc = $summary:literal])+
        $name:ident = $text:literal;
        aliases [$($alias:literal),*];
        formula $formula:literal;
        source $source:literal;
        settings { $($own:tt)* }
        $of:expr
    ) => {
        $crate::curves::definition::of_probabilities! {
            $(#[doc = $summary])+
            $name = $text;
            aliases [$($alias),*];
            formula $formula;
            source $source;
            about "The confidence of a single output or of a label is its probability, and right is a yes; that of classes is the largest probability, and right is the class that has it.";
            settings { $($own)* }
        }

        impl $crate::Statistic for $name {
            type Counts = $crate::CalibrationCounts;

            fn value(&self, counts: &$crate::CalibrationCounts) -> $crate::MetricValue {
                let of: fn(&Self, &[[f64; 3]]) -> $crate::MetricValue = $of;
                match counts.bins() {
                    Ok(bins) => of(self, &bins),
                    Err(undefined) => $crate::MetricValue::Undefined(undefined),
                }
            }
        }

        impl<T: $crate::Real, Y: $crate::Target<T>> $crate::Count<T, Y> for $name {
            fn count(&self, counts: &mut Self::Counts, y: $crate::ArrayView2<'_, T>, targets: &[Y]) {
                $crate::curves::calibration::count(self.decision(), self.bins, counts, y, targets);
            }

            fn accepts(&self, columns: usize, targets: &[Y]) -> Result<(), $crate::TargetError> {
                self.decision().check($text, columns, targets)
            }

            fn reads(&self, _: usize, _: &[Y]) -> Option<$crate::Outputs> {
                Some(self.decision().taken_for())
            }
        }
    };
}
pub(crate) use of_confidences;

/// Defines a metric that is the mean of a figure of each row of probabilities of classes, or of each yes or no, against targets from
/// 0 to 1: one function for each of the two.
macro_rules! of_rows {
    (
        $(#[doc = $summary:literal])+
        $name:ident = $text:literal;
        aliases [$($alias:literal),*];
        formula $formula:literal;
        source $source:literal;
        settings { $($own:tt)* }
        classes $of_classes:expr;
        answer $of_answer:expr;
    ) => {
        $crate::curves::definition::of_probabilities! {
            $(#[doc = $summary])+
            $name = $text;
            aliases [$($alias),*];
            formula $formula;
            source $source;
            about "A single column is a yes or no, several are classes, or, with `labels`, a yes or no each, of which the mean is taken. Targets may be probabilities as well.";
            settings { $($own)* }
        }

        impl $crate::Statistic for $name {
            type Counts = $crate::RowMean;

            fn value(&self, counts: &$crate::RowMean) -> $crate::MetricValue {
                counts.mean().value().into()
            }
        }

        impl<T: $crate::Real, Y: $crate::Target<T>> $crate::Count<T, Y> for $name {
            fn count(&self, counts: &mut Self::Counts, y: $crate::ArrayView2<'_, T>, targets: &[Y]) {
                let of_classes: fn(&Self, &mut [f64], &[f64]) -> f64 = $of_classes;
                let of_answer: fn(&Self, f64, f64) -> f64 = $of_answer;
                counts.count(self.decision(), y, targets, |row| match row {
                    $crate::curves::rows::Row::Classes { y, t } => of_classes(self, y, t),
                    $crate::curves::rows::Row::Answer { y, t } => of_answer(self, y, t),
                });
            }

            fn accepts(&self, columns: usize, targets: &[Y]) -> Result<(), $crate::TargetError> {
                $crate::curves::rows::check(self.decision(), $text, columns, targets)
            }

            fn reads(&self, _: usize, _: &[Y]) -> Option<$crate::Outputs> {
                Some(self.decision().taken_for())
            }
        }
    };
}
pub(crate) use of_rows;
