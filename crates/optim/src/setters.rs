//! The methods by which an optimizer's settings are changed.

/// Methods that return the optimizer with another value of a setting: `name(arguments) => field = value`.
macro_rules! setters {
    ($owner:ident; $($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty),*) => $($field:ident = $value:expr),+;)+) => {
        impl $owner {
            $(
                $(#[$doc])*
                #[must_use]
                pub fn $name(self, $($argument: $type),*) -> Self {
                    Self { $($field: $value,)+ ..self }
                }
            )+
        }
    };
}
pub(crate) use setters;
