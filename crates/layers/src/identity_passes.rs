//! The passes of layers that change at most the shape of their input.

/// `y = x` and `dx = dy`, in an `impl Layer<T>`. A `Sequential` skips such a layer, so nothing is copied.
macro_rules! identity_passes {
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
