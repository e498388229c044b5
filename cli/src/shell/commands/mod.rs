//! What the commands do; a file for each family.

pub(super) mod acl;
pub(super) mod ensemble;
pub(super) mod follow;
pub(super) mod nodes;
pub(super) mod own;
pub(super) mod quota;
pub(super) mod search;
pub(super) mod transfer;
pub(super) mod tree;
pub(super) mod watches;

use jute::data::Stat;

use super::failure::Failure;
use super::options::Given;
use super::{Shell, render};

/// The whole number that an option was given.
///
/// # Errors
/// In Java's words. Apache's shell ends there; ours goes on.
fn number(text: &str) -> Result<i32, Failure> {
    text.parse()
        .map_err(|_| Failure::new(format!("For input string: \"{text}\"")))
}

/// The version that an option asks for; -1, any, without it.
fn expected_version(given: &Given) -> Result<i32, Failure> {
    given.value("v").map_or(Ok(-1), number)
}

/// An argument that the table of commands has made sure of.
fn argument(given: &Given, index: usize) -> &str {
    given.argument(index).unwrap_or_default()
}

/// Shows a Stat.
fn show_stat(shell: &Shell, stat: &Stat) -> Result<(), Failure> {
    let text = || render::stat(stat, &shell.clock);
    shell.out.say("stat", || render::stat_json(stat), text)
}
