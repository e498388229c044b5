//! What the machine itself allows, measured beside the servers in every round.

use anyhow::{Result, anyhow};

use super::rows::Samples;
use super::{Args, generator};
use crate::prealloc::{self, Way};
use crate::stats::quantile;
use crate::workspace;

/// Bytes of the write that is synced.
const WRITE: usize = 512;
/// Synced writes per round.
const WRITES: usize = 500;

/// What each of so many servers on one disk waits for when all of them write at the same time.
pub(super) fn measure_writers(writers: usize, samples: &mut Samples) -> Result<()> {
    let directories: Vec<_> = (0..writers)
        .map(|n| workspace::target().join(format!("bench/writer-{n}")))
        .collect();
    let mut times = std::thread::scope(|scope| {
        let writing = directories.iter().map(|directory| {
            scope.spawn(move || {
                std::fs::create_dir_all(directory)?;
                prealloc::measure(directory, Way::ZeroFilled, WRITE, WRITES)
            })
        });
        let writing: Vec<_> = writing.collect();
        let times = writing.into_iter().map(|writer| {
            let times = writer.join();
            times.map_err(|_| anyhow!("a writer panicked"))?
        });
        times.collect::<Result<Vec<_>>>()
    })?
    .concat();
    times.sort_by(f64::total_cmp);
    samples.floor(
        "the same by three writers at once, p50 us",
        quantile(&times, 0.5),
    );
    directories
        .iter()
        .try_for_each(|directory| Ok(std::fs::remove_dir_all(directory)?))
}

pub(super) fn measure(args: &Args, samples: &mut Samples) -> Result<()> {
    let directory = workspace::target().join("bench");
    std::fs::create_dir_all(&directory)?;
    let sync = prealloc::measure(&directory, Way::ZeroFilled, WRITE, WRITES)?;
    samples.floor(
        "512 B into a zero-filled file + fdatasync, p50 us",
        quantile(&sync, 0.5),
    );

    let options = ["--duration".to_owned(), args.seconds().min(2.0).to_string()];
    let nothing = ["--null-responder"];
    let lone = generator::run(&nothing, "--op get --clients 1", &options)?;
    samples.floor("loopback round trip, p50 us", lone.latency_us("p50")?);
    let many = generator::run(&nothing, "--op get --clients 32 --pipeline 16", &options)?;
    samples.floor("generator's ceiling, requests/s", many.per_second()?);
    let sessions = generator::run(&nothing, "--op sessions --clients 16", &options)?;
    samples.floor("generator's ceiling, sessions/s", sessions.per_second()?);
    Ok(())
}
