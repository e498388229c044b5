//! A server that has nothing to do, alone and with many idle sessions.

use std::thread;
use std::time::Duration;

use anyhow::Result;

use super::Target::AtMost;
use super::{Kind, Row, Samples};
use crate::bench::Args;
use crate::bench::generator::IdleSessions;
use crate::bench::server::{Home, Product, Server};

const KIB: f64 = 1024.0;
/// Sessions held open.
const SESSION_COUNT: usize = 5_000;
/// What a server gets to calm down before its memory is read.
const SETTLE: Duration = Duration::from_secs(1);

/// An empty directory.
pub(super) const EMPTY: Kind = Kind {
    name: "idle",
    rows: &[
        Row {
            name: "idle-mib",
            title: "idle server, resident MiB",
            target: AtMost(15.0),
        },
        Row {
            name: "listen",
            title: "exec to listening on an empty directory, ms",
            target: AtMost(50.0),
        },
    ],
    measure: measure_empty,
};

/// Many sessions that do nothing.
pub(super) const SESSIONS: Kind = Kind {
    name: "idle sessions",
    rows: &[Row {
        name: "session-kib",
        title: "resident per idle session of 5,000, KiB",
        target: AtMost(4.0),
    }],
    measure: measure_sessions,
};

fn measure_empty(_: &Args, product: Product, samples: &mut Samples) -> Result<()> {
    let home = Home::new(product)?;
    let server = Server::start(product, &home, &[])?;
    samples.add(
        "listen",
        product,
        server.listening_after.as_secs_f64() * 1e3,
    );
    thread::sleep(SETTLE);
    samples.add("idle-mib", product, server.resident()? as f64 / KIB / KIB);
    server.stop()
}

fn measure_sessions(_: &Args, product: Product, samples: &mut Samples) -> Result<()> {
    let home = Home::new(product)?;
    let server = Server::serving(product, &home, &[])?;
    thread::sleep(SETTLE);
    let before = server.resident()?;
    let sessions = IdleSessions::open(&server.address().to_string(), SESSION_COUNT)?;
    thread::sleep(SETTLE);
    let grown = server.resident()?.saturating_sub(before);
    samples.add(
        "session-kib",
        product,
        grown as f64 / KIB / SESSION_COUNT as f64,
    );
    drop(sessions);
    server.stop()
}
