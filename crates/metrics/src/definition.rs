//! How metrics are written: a type, its value with the defaults, its entry and its name, from one definition.

/// Defines a metric with these settings. The default of a setting stands twice: as a value, and as in the text form.
macro_rules! definition {
    (
        $(#[doc = $summary:literal])+
        $name:ident = $text:literal;
        aliases [$($alias:literal),*];
        formula $formula:literal;
        source $source:literal;
        about $more:expr;
        settings { $(
            $(#[doc = $about:literal])+
            $field:ident $(($($other:literal),+))?: $type:ty = $value:expr, $default:expr $(, $range:expr)?;
        )* }
    ) => {
        $(#[doc = $summary])+
        ///
        #[doc = concat!("`", $formula, "`, ", $source, ".")]
        ///
        #[doc = $more]
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub struct $name {
            $($(#[doc = $about])+ pub $field: $type,)*
        }

        #[doc = concat!("The metric with its defaults: `", stringify!($name), "::default()`.")]
        #[allow(non_upper_case_globals, reason = "a metric is a value, written like a loss or a layer")]
        pub const $name: $name = $name { $($field: $value,)* };

        impl Default for $name {
            fn default() -> Self {
                $name
            }
        }

        chainrule_core::describe! {
            $(#[doc = $summary])+
            $name = $text;
            aliases [$($alias),*];
            formula $formula;
            source $source;
            settings { $(
                $(#[doc = $about])+
                $field $(($($other),+))?: $default $(, $range)?;
            )* }
        }

        impl $crate::Metric for $name {
            fn name(&self) -> &'static str {
                $text
            }

            chainrule_core::described!(validate);
        }
    };
}
pub(crate) use definition;
