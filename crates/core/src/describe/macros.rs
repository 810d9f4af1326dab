//! The macros by which types describe themselves and are registered.

/// Makes a type [`Described`](crate::Described): its [`Entry`](crate::Entry), and how it is made from its settings and they from it.
///
/// The settings are fields of the type; a setting that is called otherwise than its field has its name after `as`, and in
/// parentheses other names. Then come its default, written as in the text form, or `required`, and the
/// [`Range`](crate::Range) of its numbers, if it has numbers. Type parameters need a type alias.
///
/// ```
/// use chainrule_core::{Described, Range, describe};
///
/// #[derive(Debug)]
/// struct Momentum {
///     rate: f64,
///     decay: f64,
///     nesterov: bool,
/// }
///
/// describe! {
///     /// Steps along a running sum of the gradients.
///     Momentum = "momentum";
///     aliases ["heavy_ball"];
///     formula "m ← μ m + g; p ← p - η m";
///     source "Polyak 1964";
///     settings {
///         /// The learning rate η.
///         rate as "lr" ("learning_rate"): required, Range::NOT_NEGATIVE;
///         /// The part of the sum that is kept, μ.
///         decay as "momentum": 0.9, Range::FRACTION;
///         /// Whether the gradient is that of the point ahead.
///         nesterov: false;
///     }
///     presets { nesterov { nesterov = true } }
/// }
///
/// let momentum = Momentum { rate: 0.1, decay: 1.5, nesterov: false };
/// assert_eq!(momentum.describe().to_string(), "momentum(lr=0.1, momentum=1.5, nesterov=false)");
/// let error = momentum.check_ranges().unwrap_err();
/// assert_eq!(error.to_string(), "Momentum: momentum is 1.5, but must be at least 0 and below 1");
/// ```
#[macro_export]
macro_rules! describe {
    (
        $(#[doc = $summary:literal])+
        $title:ident = $name:literal;
        $(aliases [$($alias:literal),* $(,)?];)?
        $(formula $formula:expr;)?
        $(source $source:literal;)?
        $(settings { $(
            $(#[doc = $about:literal])+
            $field:tt $(as $setting:literal)? $(($($other:literal),+ $(,)?))?: $default:expr $(, $range:expr)?;
        )* })?
        $(presets { $($preset:ident { $($key:ident = $value:expr),* $(,)? })* })?
    ) => {
        impl $crate::Described for $title {
            const ENTRY: $crate::Entry = $crate::entry! {
                $(#[doc = $summary])+
                $title = $name;
                $(aliases [$($alias),*];)?
                $(formula $formula;)?
                $(source $source;)?
                $(settings { $(
                    $(#[doc = $about])+
                    $field $(as $setting)? $(($($other),+))?: $default $(, $range)?;
                )* })?
                $(presets { $($preset { $($key = $value),* })* })?
            };

            fn from_settings(
                settings: &$crate::Settings<'_>,
            ) -> ::core::result::Result<Self, $crate::DescriptionError> {
                let _ = settings;
                ::core::result::Result::Ok(Self {
                    $($($field: settings.get($crate::setting_name!($field $(, $setting)?))?,)*)?
                })
            }

            fn setting_values(&self) -> ::std::vec::Vec<$crate::Value> {
                ::std::vec![$($($crate::SettingValue::to_value(&self.$field),)*)?]
            }
        }
    };
}

/// Makes an [`Entry`](crate::Entry), for a type that implements [`Described`](crate::Described) by hand: the form is that of
/// [`describe!`](crate::describe!), but what stands before `as` need not be a field.
#[macro_export]
macro_rules! entry {
    (
        $(#[doc = $summary:literal])+
        $title:ident = $name:literal;
        $(aliases [$($alias:literal),* $(,)?];)?
        $(formula $formula:expr;)?
        $(source $source:literal;)?
        $(settings { $(
            $(#[doc = $about:literal])+
            $field:tt $(as $setting:literal)? $(($($other:literal),+ $(,)?))?: $default:expr $(, $range:expr)?;
        )* })?
        $(presets { $($preset:ident { $($key:ident = $value:expr),* $(,)? })* })?
    ) => {
        $crate::Entry {
            title: ::core::stringify!($title),
            name: $name,
            aliases: &[$($($alias),*)?],
            summary: ::core::concat!($($summary),+).trim_ascii(),
            formula: $crate::or_empty!($($formula)?),
            source: $crate::or_empty!($($source)?),
            settings: &[$($($crate::Setting {
                name: $crate::setting_name!($field $(, $setting)?),
                aliases: &[$($($other),+)?],
                default: $crate::describe_default(::core::stringify!($default)),
                range: $crate::or_any!($($range)?),
                summary: ::core::concat!($($about),+).trim_ascii(),
            }),*)?],
            presets: &[$($($crate::Preset {
                name: ::core::stringify!($preset),
                settings: &[$((::core::stringify!($key), ::core::stringify!($value))),*],
            }),*)?],
        }
    };
}

/// The name of a setting: for [`describe!`](crate::describe!).
#[doc(hidden)]
#[macro_export]
macro_rules! setting_name {
    ($field:tt) => {
        ::core::stringify!($field)
    };
    ($field:tt, $name:literal) => {
        $name
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! or_empty {
    () => {
        ""
    };
    ($text:expr) => {
        $text
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! or_any {
    () => {
        $crate::Range::ANY
    };
    ($range:expr) => {
        $range
    };
}

/// The default of a setting, from what stands in [`describe!`](crate::describe!).
#[doc(hidden)]
pub const fn describe_default(text: &'static str) -> Option<&'static str> {
    match text.as_bytes() {
        b"required" => None,
        _ => Some(text),
    }
}

/// In an `impl` of one of the families' traits (a loss's `Criterion`, an `Optimizer`, a `Metric`, a `Schedule`, an
/// `Initializer`, ...): that the description is that of [`describe!`](crate::describe!). With the name of the trait's method that
/// checks settings, as in `described!(validate)`, also that they are checked against the ranges of the entry.
#[macro_export]
macro_rules! described {
    () => {
        fn description(&self) -> $crate::Description {
            $crate::Described::describe(self)
        }
    };
    ($check:ident) => {
        $crate::described!();

        fn $check(&self) -> ::core::result::Result<(), $crate::SettingError> {
            $crate::Described::check_ranges(self)
        }
    };
}

/// Registers types: `register!(registry, Arc<dyn Schedule>, Arc::new; Cosine, Step)` lets the [`Registry`](crate::Registry) build
/// each of these as an `Arc<dyn Schedule>`, which `Arc::new` makes of them.
#[macro_export]
macro_rules! register {
    ($registry:expr, $kind:ty, $wrap:expr; $($described:ty),* $(,)?) => {{
        let registry: &mut $crate::Registry = &mut $registry;
        $(registry.add::<$kind, $described>(|described| $wrap(described));)*
    }};
}

/// Makes a [`SettingValue`](crate::SettingValue) of an enum whose variants are words: `setting_words! { Reduction { Mean =
/// "mean", Sum = "sum" } }`.
#[macro_export]
macro_rules! setting_words {
    ($type:ty { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl $crate::SettingValue for $type {
            fn from_value(
                value: &$crate::Value,
                place: &$crate::Place<'_>,
            ) -> ::core::result::Result<Self, $crate::DescriptionError> {
                match value {
                    $($crate::Value::Text(text) if $crate::same_name(text, $word) => {
                        ::core::result::Result::Ok(Self::$variant)
                    })+
                    _ => ::core::result::Result::Err(place.wrong(value, [$($word),+].join(" or "))),
                }
            }

            fn to_value(&self) -> $crate::Value {
                match self {
                    $(Self::$variant => $crate::Value::from($word),)+
                }
            }
        }
    };
}
