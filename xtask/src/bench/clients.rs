//! Client and recipes on one server, measured by the crate `client-bench`.

use anyhow::Result;

use super::Args;
use super::server::{Home, Server};
use crate::workspace;

/// Has watches and packets counted.
const SETTINGS: &[&str] = &["4lw.commands.whitelist=*"];

/// Measures `subject` on each server.
pub(super) fn run(args: &Args, subject: &str) -> Result<()> {
    workspace::cargo(["build", "--release", "-p", "client-bench"]).run()?;
    for &product in &args.servers {
        let home = Home::new(product)?;
        let server = Server::serving(product, &home, SETTINGS)?;
        println!("\n### {subject} on {product}\n");
        let program = workspace::target().join("release/client-bench");
        let rounds = args.rounds.to_string();
        workspace::Step::new(program, [subject, "--rounds", &rounds, "--server"])
            .args([server.address().to_string()])
            .args(&args.rest)
            .run()?;
        server.stop()?;
    }
    Ok(())
}
