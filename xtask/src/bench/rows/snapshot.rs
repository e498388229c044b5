//! What a snapshot of many znodes does to the writes beside it.

use anyhow::{Result, ensure};

use super::Target::{AtMost, None};
use super::{Kind, Row, Samples};
use crate::bench::server::{Home, Product, Server};
use crate::bench::{Args, generator};

/// Znodes in the full measurement.
const ZNODES: u64 = 1_000_000;
/// The writes, few enough that no server is overloaded.
const WRITES: &str = "--op set --clients 8 --pipeline 1 --keys 1000 --warmup 2";
/// No snapshot during the measurement.
const SELDOM: &[&str] = &["snapCount=1000000000"];
/// One snapshot after the other.
const OFTEN: &[&str] = &["snapCount=2000"];

pub(super) const KIND: Kind = Kind {
    name: "snapshot",
    rows: &[
        Row {
            name: "snapshot-without",
            title: "write p99.9 beside 1,000,000 znodes, no snapshot, us",
            target: None,
        },
        Row {
            name: "snapshot-during",
            title: "write p99.9 during their snapshots, us",
            target: None,
        },
        Row {
            name: "snapshot-factor",
            title: "write p99.9 during / without",
            target: AtMost(2.0),
        },
    ],
    measure,
};

fn measure(args: &Args, product: Product, samples: &mut Samples) -> Result<()> {
    let home = Home::new(product)?;
    let server = Server::serving(product, &home, SELDOM)?;
    let address = server.address().to_string();
    let options = ["--keys".to_owned(), args.znodes(ZNODES).to_string()];
    let fill = "--op fill --clients 8 --pipeline 16 --size 100";
    generator::run(&["--server", &address], fill, &options)?;
    server.stop()?;

    let without = write_p999(args, product, &home, SELDOM)?;
    let before = home.snapshots()?;
    let during = write_p999(args, product, &home, OFTEN)?;
    // A start may write one; more than that were written beside the load.
    let written = home.snapshots()?.saturating_sub(before);
    ensure!(written > 1, "no snapshot was written during the load");
    samples.add("snapshot-without", product, without);
    samples.add("snapshot-during", product, during);
    samples.add("snapshot-factor", product, during / without);
    Ok(())
}

fn write_p999(args: &Args, product: Product, home: &Home, extra: &[&str]) -> Result<f64> {
    let server = Server::serving(product, home, extra)?;
    let address = server.address().to_string();
    let seconds = (2.0 * args.seconds()).to_string();
    let options = ["--duration".to_owned(), seconds];
    let measured = generator::run(&["--server", &address], WRITES, &options)?;
    server.stop()?;
    measured.latency_us("p99.9")
}
