//! Numbers and closures as schedules.

use chainrule_core::{Description, SettingCheck, Value};

use super::Schedule;
use crate::{SettingError, Step};

macro_rules! constant {
    ($($number:ty),*) => {$(
        impl Schedule for $number {
            fn rate(&self, _: Step) -> f64 {
                f64::from(*self)
            }

            fn validate(&self) -> Result<(), SettingError> {
                SettingCheck("schedule").not_negative("learning rate", f64::from(*self))
            }

            fn description(&self) -> Description {
                Description::new("constant").with("rate", f64::from(*self))
            }

            fn value(&self) -> Value {
                Value::Number(f64::from(*self))
            }
        }
    )*};
}
constant!(f32, f64);

impl<F: Fn(u64) -> f64 + Send + Sync> Schedule for F {
    fn rate(&self, step: Step) -> f64 {
        self(step.index)
    }
}
