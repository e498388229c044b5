//! Memory per znode, and the restart on many of them.

use anyhow::Result;

use super::Target::{AtMost, RatioAtMost};
use super::{Kind, Row, Samples};
use crate::bench::server::{Home, Product, Server};
use crate::bench::{Args, generator, probe};

/// Znodes in the full measurement.
const ZNODES: u64 = 500_000;
/// A znode that the fill leaves behind.
const FILLED: &str = "/zabkeeper-bench/d0000000000/n0000000000";

pub(super) const KIND: Kind = Kind {
    name: "memory",
    rows: &[
        Row {
            name: "znode-bytes",
            title: "resident per 100 B znode of 500,000, bytes",
            target: AtMost(250.0),
        },
        Row {
            name: "restart",
            title: "restart on 500,000 znodes to the first read, ms",
            target: RatioAtMost(0.1),
        },
    ],
    measure,
};

fn measure(args: &Args, product: Product, samples: &mut Samples) -> Result<()> {
    let znodes = args.znodes(ZNODES);
    let home = Home::new(product)?;
    let server = Server::serving(product, &home, &[])?;
    let before = server.resident()?;
    let address = server.address().to_string();
    let options = ["--keys".to_owned(), znodes.to_string()];
    let fill = "--op fill --clients 8 --pipeline 16 --size 100";
    generator::run(&["--server", &address], fill, &options)?;
    let grown = server.resident()?.saturating_sub(before);
    samples.add("znode-bytes", product, grown as f64 / znodes as f64);
    server.stop()?;

    // The files were just written: the cache is warm.
    let server = Server::start(product, &home, &[])?;
    let took = probe::first_read(server.address(), FILLED, server.started)?;
    samples.add("restart", product, took.as_secs_f64() * 1e3);
    server.stop()
}
