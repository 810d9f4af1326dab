//! Streaming metrics that merge across shards
