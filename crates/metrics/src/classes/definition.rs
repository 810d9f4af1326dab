//! How the metrics of classes are written: the settings of a decision, and those of averages, are the same for all.

/// Defines a metric with the settings of a [`Decision`](crate::Decision) and its own.
macro_rules! classification {
    (
        $(#[doc = $summary:literal])+
        $name:ident = $text:literal;
        aliases [$($alias:literal),*];
        formula $formula:literal;
        source $source:literal;
        settings { $($own:tt)* }
    ) => {
        $crate::definition::definition! {
            $(#[doc = $summary])+
            $name = $text;
            aliases [$($alias),*];
            formula $formula;
            source $source;
            about "How outputs and targets become classes is that of [`Decision`](crate::Decision).";
            settings {
                $($own)*
                /// Whether the outputs are logits; else they are probabilities.
                from_logits: bool = true, true;
                /// An output above it is a yes; none for 0 of logits and 0.5 of probabilities.
                threshold: Option<f64> = None, none;
                /// Whether each column is a yes or no of its own.
                labels ("multilabel", "multi_label"): bool = false, false;
                /// How many of the largest scores may be right.
                top_k ("k"): usize = 1, 1, chainrule_core::Range::AT_LEAST_ONE;
                /// The class of samples that do not count.
                ignore_index ("ignore_class"): Option<usize> = None, none;
            }
        }

        impl $name {
            /// For outputs that are probabilities: where an output is a yes or no, it is a yes above 0.5. Without it, outputs are
            /// logits, which are a yes above 0.
            pub fn from_probabilities() -> Self {
                Self { from_logits: false, ..$name }
            }

            /// With this threshold, above which an output that is a yes or no is a yes, whatever the outputs are.
            pub fn with_threshold(threshold: f64) -> Self {
                Self { threshold: Some(threshold), ..$name }
            }

            /// Takes each column for a label of its own, a yes or no, so that several may be right at once.
            #[must_use]
            pub fn labels(self) -> Self {
                Self { labels: true, ..self }
            }

            fn decision_of_fields(&self) -> $crate::Decision {
                let Self { from_logits, threshold, labels, top_k, ignore_index, .. } = *self;
                $crate::Decision { from_logits, threshold, labels, top_k, ignore_index }
            }
        }
    };
}
pub(crate) use classification;

/// Defines a metric that is a figure of each class against all others, [averaged](crate::Average) over the classes. The formula
/// is a function of the metric and of a [`OneClass`](crate::OneClass).
macro_rules! averaged {
    (
        $(#[doc = $summary:literal])+
        $name:ident = $text:literal;
        aliases [$($alias:literal),*];
        formula $formula:literal;
        source $source:literal;
        settings { $($own:tt)* }
        $figure:expr
    ) => {
        $crate::classes::definition::classification! {
            $(#[doc = $summary])+
            $name = $text;
            aliases [$($alias),*];
            formula $formula;
            source $source;
            settings {
                $($own)*
                /// What is made of the figures of several classes.
                average: $crate::Average = $crate::Average::Macro, "macro";
                /// What an undefined figure of a class counts as in an average; none leaves the class out.
                zero_division: Option<f64> = None, none;
            }
        }

        impl $name {
            /// What is made of the figures of several classes.
            #[must_use]
            pub fn average(self, average: $crate::Average) -> Self {
                Self { average, ..self }
            }
        }

        impl $crate::ClassMetric for $name {
            type Counts = $crate::ClassCounts;

            fn decision(&self) -> $crate::Decision {
                self.decision_of_fields()
            }

            fn prepare(&self, counts: &mut $crate::ClassCounts, task: $crate::Task) {
                counts.prepare(task);
            }

            fn add(&self, counts: &mut $crate::ClassCounts, decided: $crate::Decided) {
                counts.add(decided);
            }

            fn value(&self, counts: &$crate::ClassCounts) -> $crate::MetricValue {
                let figure: fn(&Self, $crate::OneClass) -> Result<f64, $crate::Undefined> = $figure;
                self.average.of(counts, self.zero_division, |class| figure(self, class))
            }
        }

        $crate::class_metric!($name);
    };
}
pub(crate) use averaged;
