//! What it costs the others when a learner that was away is sent a large tree.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};

use super::cluster::Ensemble;
use crate::bench::rows::Target::{AtMost, None};
use crate::bench::rows::{Kind, Samples, row};
use crate::bench::server::{Product, Server};
use crate::bench::{Args, generator};

const MIB: f64 = 1024.0 * 1024.0;
/// Bytes of data per znode of the tree.
const SIZE: u64 = 8 << 10;
/// Znodes in the full measurement: 1 GiB of data.
const ZNODES: u64 = 128 << 10;
/// Writes that go on, with room for a tenth of a second without answers.
const WRITES: &str = "--op set --clients 8 --pipeline 64 --rate 5000 --keys 1000 --warmup 0.5";
/// Seconds of one look at their latencies.
const LOOK: &str = "2";
/// How often the leader's memory is looked at.
const MEMORY_INTERVAL: Duration = Duration::from_millis(10);
/// Apache's servers have 1 GiB of heap: they cannot hold the tree.
const HOLDS_THE_TREE: Product = Product::Ours;

pub(super) const KIND: Kind = Kind {
    name: "tree",
    rows: &[
        row(
            "snap-join",
            "a learner gets 1 GiB by SNAP beside 5,000 writes/s, s until it serves",
            None,
        ),
        row(
            "snap-grown",
            "growth of the leader's resident memory meanwhile, MiB",
            AtMost(128.0),
        ),
        row("snap-p99-before", "p99 of those writes before, us", None),
        row("snap-p99-during", "p99 of those writes meanwhile, us", None),
        row("snap-p99-factor", "p99 meanwhile / before", AtMost(2.0)),
    ],
    measure,
};

fn measure(args: &Args, product: Product, samples: &mut Samples) -> Result<()> {
    if product != HOLDS_THE_TREE {
        eprintln!("  the tree does not fit into {product}'s heap");
        return Ok(());
    }
    let mut ensemble = Ensemble::serving(product, &[])?;
    let leader = ensemble.leader()?;
    let address = ensemble.address(leader);
    let options = ["--keys".to_owned(), args.znodes(ZNODES).to_string()];
    let fill = format!("--op fill --clients 8 --pipeline 16 --size {SIZE}");
    generator::run(&["--server", &address], &fill, &options)?;
    let away = ensemble.follower()?;
    ensemble.wipe(away)?;
    writes_p99(&address)?;
    let before = writes_p99(&address)?;

    let resident = ensemble.server(leader)?.resident()?;
    ensemble.start(away)?;
    let started = Instant::now();
    let (joined, peak) = (AtomicBool::new(false), AtomicU64::new(resident));
    let mut during = Vec::new();
    let took = thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let waited = ensemble.await_serving();
            joined.store(true, Ordering::Release);
            waited.map(|()| started.elapsed())
        });
        let server = ensemble.server(leader)?;
        scope.spawn(|| watch_memory(server, &joined, &peak));
        while !joined.load(Ordering::Acquire) {
            during.push(writes_p99(&address)?);
        }
        let waited = waiting.join();
        waited.map_err(|_| anyhow!("the wait panicked"))?
    })?;
    ensure!(
        ensemble.received_snapshot(away)?,
        "the learner was not sent a tree"
    );
    // Each look but the last was over before the learner served.
    eprintln!("  p99 of each look: {during:.0?}");
    let worst = during.iter().copied().fold(0.0, f64::max);
    let grown = peak.load(Ordering::Relaxed) - resident;
    samples.add("snap-join", product, took.as_secs_f64());
    samples.add("snap-grown", product, grown as f64 / MIB);
    samples.add("snap-p99-before", product, before);
    samples.add("snap-p99-during", product, worst);
    samples.add("snap-p99-factor", product, worst / before);
    ensemble.stop()
}

fn writes_p99(address: &str) -> Result<f64> {
    let options = ["--duration", LOOK].map(str::to_owned);
    let measured = generator::run(&["--server", address], WRITES, &options)?;
    measured.latency_us("p99")
}

fn watch_memory(server: &Server, joined: &AtomicBool, peak: &AtomicU64) {
    while !joined.load(Ordering::Acquire) {
        if let Ok(resident) = server.resident() {
            peak.fetch_max(resident, Ordering::Relaxed);
        }
        thread::sleep(MEMORY_INTERVAL);
    }
}
