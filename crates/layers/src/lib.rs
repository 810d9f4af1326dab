//! Dense layers, activations and initialisers
