//! One file per suite that is not the differential tester.

pub(crate) mod client;
pub(crate) mod clients;
pub(crate) mod crash;
pub(crate) mod data;
pub(crate) mod election;
pub(crate) mod recipes;
pub(crate) mod shell;
pub(crate) mod zkcli;
