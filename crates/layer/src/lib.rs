//! The Layer trait, Plan, Sequential, and the gradient check
