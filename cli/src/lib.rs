//! Command line tools: the load generator.
