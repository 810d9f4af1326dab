//! The passes of layers that change only how values are called, such as their shape.

/// `y = x` and `dx = dy`, within an `impl Layer<T>`. A `Sequential` leaves such a layer out, and nothing is copied.
macro_rules! same_values {
    () => {
        fn forward(&self, ::chainrule_core::Forward { x, mut y, .. }: ::chainrule_core::Forward<'_, T>) {
            y.assign(&x);
        }

        fn backward(&self, ::chainrule_core::Backward { dy, dx, .. }: ::chainrule_core::Backward<'_, T>) {
            if let Some(mut dx) = dx {
                dx.assign(&dy);
            }
        }

        fn is_identity(&self) -> bool {
            true
        }
    };
}
