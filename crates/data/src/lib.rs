//! Datasets, readers, downloads, shuffling and batching
