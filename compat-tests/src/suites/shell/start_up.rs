//! How long the shells take to their first answer. A figure to look at: no row fails for it.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::{LIMIT, Shell};
use crate::process::Kept;
use crate::report::Report;
use crate::server::Launcher;

/// So often each shell is started; the first start warms the system's caches, and does not count.
const STARTS: usize = 6;

/// Starts the shells in turn, and prints the medians.
pub(super) fn measure(
    launcher: &Launcher,
    (ours, theirs): (SocketAddr, SocketAddr),
    report: &Report,
) -> Result<()> {
    let (mut our_times, mut their_times) = (Vec::new(), Vec::new());
    for _start in 0..STARTS {
        our_times.push(first_answer(launcher, Shell::Ours, ours)?);
        their_times.push(first_answer(launcher, Shell::Apache, theirs)?);
    }
    let text = format!(
        "ours {:.1} ms, Apache's {:.1} ms",
        median_ms(our_times),
        median_ms(their_times)
    );
    report.note("shell: from its start to the first answer, median", &text);
    Ok(())
}

fn median_ms(mut times: Vec<Duration>) -> f64 {
    times.remove(0);
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e3
}

/// From the start of the process to the names below the root.
fn first_answer(launcher: &Launcher, shell: Shell, address: SocketAddr) -> Result<Duration> {
    let mut command = shell.command(launcher)?;
    command
        .args(["-server", &address.to_string(), "ls", "/"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let start = Instant::now();
    let mut child = command.spawn()?;
    let output = child.stdout.take().context("no standard output")?;
    let mut child = Kept::new(child);
    let mut answer = None;
    for line in BufReader::new(output).lines() {
        if line?.starts_with('[') {
            answer.get_or_insert_with(|| start.elapsed());
        }
    }
    if child.wait(LIMIT)?.is_none() {
        bail!("the shell hangs");
    }
    answer.context("no answer to ls")
}
