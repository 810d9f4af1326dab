//! How the metrics of values are written.

/// Defines a metric that is the mean of a figure of each output and target, for targets that are allowed. What is made of the mean
/// of a column is the last function.
macro_rules! of_values {
    (
        $(#[doc = $summary:literal])+
        $name:ident = $text:literal;
        aliases [$($alias:literal),*];
        formula $formula:literal;
        source $source:literal;
        settings { $($own:tt)* }
        targets $allowed:expr, $words:literal;
        undefined $undefined:literal;
        figure $figure:expr;
        mean $mean:expr;
    ) => {
        $crate::definition::definition! {
            $(#[doc = $summary])+
            $name = $text;
            aliases [$($alias),*];
            formula $formula;
            source $source;
            about "Of outputs y and targets t; a class is its one-hot vector.";
            settings {
                $($own)*
                /// What is made of several columns: pooled, uniform_average or raw_values.
                multioutput: $crate::ColumnAverage = $crate::ColumnAverage::Pooled, pooled;
            }
        }

        impl $crate::Statistic for $name {
            type Counts = $crate::ColumnMeans;

            fn value(&self, counts: &$crate::ColumnMeans) -> $crate::MetricValue {
                let mean: fn(&Self, f64) -> f64 = $mean;
                counts.average(self.multioutput, $crate::Undefined($undefined), |value| mean(self, value))
            }
        }

        impl<T: $crate::Real, Y: $crate::Target<T>> $crate::Count<T, Y> for $name {
            fn count(&self, counts: &mut Self::Counts, y: $crate::ArrayView2<'_, T>, targets: &[Y]) {
                let figure: fn(&Self, f64, f64) -> f64 = $figure;
                counts.count(y, targets, |y, t| figure(self, y, t));
            }

            fn accepts(&self, columns: usize, targets: &[Y]) -> Result<(), $crate::TargetError> {
                let allowed: fn(&Self, f64) -> bool = $allowed;
                $crate::regression::columns::check($text, columns, targets, |t| allowed(self, t), $words)
            }
        }
    };
}
pub(crate) use of_values;

/// Defines a metric of the [`Moments`](crate::Moments) of outputs and targets: a function of the metric and those of a column.
macro_rules! of_moments {
    (
        $(#[doc = $summary:literal])+
        $name:ident = $text:literal;
        aliases [$($alias:literal),*];
        formula $formula:literal;
        source $source:literal;
        settings { $($own:tt)* }
        $figure:expr
    ) => {
        $crate::definition::definition! {
            $(#[doc = $summary])+
            $name = $text;
            aliases [$($alias),*];
            formula $formula;
            source $source;
            about "Of outputs y and targets t, whose means, variances and covariance are counted, each column alone.";
            settings {
                $($own)*
                /// What is made of several columns: uniform_average, variance_weighted or raw_values.
                multioutput: $crate::MomentAverage = $crate::MomentAverage::Uniform, uniform_average;
            }
        }

        impl $crate::Statistic for $name {
            type Counts = $crate::ColumnMoments;

            fn value(&self, counts: &$crate::ColumnMoments) -> $crate::MetricValue {
                let figure: fn(&Self, &$crate::Moments) -> Result<f64, $crate::Undefined> = $figure;
                counts.average(self.multioutput, |moments| figure(self, moments))
            }
        }

        impl<T: $crate::Real, Y: $crate::Target<T>> $crate::Count<T, Y> for $name {
            fn count(&self, counts: &mut Self::Counts, y: $crate::ArrayView2<'_, T>, targets: &[Y]) {
                counts.count(y, targets);
            }

            fn accepts(&self, columns: usize, targets: &[Y]) -> Result<(), $crate::TargetError> {
                $crate::regression::columns::check($text, columns, targets, |_| true, "")
            }
        }
    };
}
pub(crate) use of_moments;

/// Defines a metric of the order of outputs and targets: a function of the metric and of the pairs of a column.
macro_rules! of_order {
    (
        $(#[doc = $summary:literal])+
        $name:ident = $text:literal;
        aliases [$($alias:literal),*];
        formula $formula:literal;
        source $source:literal;
        settings { $($own:tt)* }
        $figure:expr
    ) => {
        $crate::definition::definition! {
            $(#[doc = $summary])+
            $name = $text;
            aliases [$($alias),*];
            formula $formula;
            source $source;
            about "Of outputs y and targets t, all of which are kept. A sample counts or does not: weights other than 0 and 1 are refused.";
            settings {
                $($own)*
                /// What is made of several columns: uniform_average, variance_weighted or raw_values.
                multioutput: $crate::MomentAverage = $crate::MomentAverage::Uniform, uniform_average;
            }
        }

        impl $crate::Statistic for $name {
            type Counts = $crate::Pairs;

            fn value(&self, counts: &$crate::Pairs) -> $crate::MetricValue {
                let figure: fn(&Self, &[[f64; 2]]) -> Result<f64, $crate::Undefined> = $figure;
                counts.average(self.multioutput, |pairs| figure(self, pairs))
            }
        }

        impl<T: $crate::Real, Y: $crate::Target<T>> $crate::Count<T, Y> for $name {
            fn count(&self, counts: &mut Self::Counts, y: $crate::ArrayView2<'_, T>, targets: &[Y]) {
                counts.count(y, targets);
            }

            fn accepts(&self, columns: usize, targets: &[Y]) -> Result<(), $crate::TargetError> {
                $crate::regression::columns::check($text, columns, targets, |_| true, "")?;
                $crate::regression::pairs::check_weights($text, targets)
            }
        }
    };
}
pub(crate) use of_order;
