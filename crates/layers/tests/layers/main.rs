//! The tests of single layers, a file for each family or property. One program, since each that tests layers compiles their code
//! again.

mod activations;
mod attention;
mod borders;
mod convolution;
mod embedding;
mod entries;
mod huge_sizes;
mod init;
mod labels;
mod long_sums;
mod merge;
mod normalization;
mod normalization_precision;
mod pooling;
mod pooling_precision;
mod recurrent;
mod regularization;
mod shape;
