//! Ensembles of any kinds of servers: faults under load, mixtures, clients, fail-over times.

pub(crate) mod client;
pub(crate) mod cluster;
pub(crate) mod config;
mod linear;
pub(crate) mod member;
pub(crate) mod network;
