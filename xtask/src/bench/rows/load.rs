//! Requests per second and their latencies, on one warmed-up server.

use anyhow::Result;

use super::Target::{RatioAtLeast, RatioAtMost};
use super::{Kind, Samples, row};
use crate::bench::figure::{self, Figure};
use crate::bench::server::{Home, Product, Server};
use crate::bench::{Args, generator};

/// The load before anything is measured.
const WARM_UP: &str = "--op mix:50 --clients 32 --pipeline 16 --duration 6";

/// One run of the generator, and the rows that it yields.
struct Load {
    line: &'static str,
    yields: &'static [(&'static str, Figure)],
}

pub(super) const KIND: Kind = Kind {
    name: "load",
    rows: &[
        row(
            "get-32x16",
            "getData 100 B, 32x16, per second",
            RatioAtLeast(8.0),
        ),
        row("get-1x1", "getData 100 B, 1x1, p50 us", RatioAtMost(0.6)),
        row(
            "set-32x16",
            "setData 100 B, 32x16, per second",
            RatioAtLeast(5.0),
        ),
        row("set-1x1", "setData 100 B, 1x1, p50 us", RatioAtMost(0.75)),
        row(
            "set-4x1",
            "setData 100 B, 4x1, per second",
            RatioAtLeast(1.3),
        ),
        row(
            "set-10x1",
            "setData 100 B, 10x1, per second",
            RatioAtLeast(1.3),
        ),
        row(
            "mix-32x16",
            "90/10 mix, 32x16, per second",
            RatioAtLeast(6.0),
        ),
        row("mix-p99", "90/10 mix, 32x16, p99 us", RatioAtMost(0.25)),
        row(
            "create-32x16",
            "create 100 B, 32x16, per second",
            RatioAtLeast(5.0),
        ),
        row(
            "sessions",
            "sessions opened and closed with an ephemeral, per second",
            RatioAtLeast(2.5),
        ),
        row(
            "fanout",
            "1,000 sessions watch one znode: last event, p50 us",
            RatioAtMost(0.5),
        ),
    ],
    measure,
};

/// Creates come last, because the tree is larger after them.
const LOADS: &[Load] = &[
    Load {
        line: "--op get --clients 32 --pipeline 16",
        yields: &[("get-32x16", Figure::PerSecond)],
    },
    Load {
        line: "--op get --clients 1",
        yields: &[("get-1x1", Figure::LatencyUs("p50"))],
    },
    Load {
        line: "--op set --clients 32 --pipeline 16",
        yields: &[("set-32x16", Figure::PerSecond)],
    },
    Load {
        line: "--op set --clients 1",
        yields: &[("set-1x1", Figure::LatencyUs("p50"))],
    },
    Load {
        line: "--op set --clients 4",
        yields: &[("set-4x1", Figure::PerSecond)],
    },
    Load {
        line: "--op set --clients 10",
        yields: &[("set-10x1", Figure::PerSecond)],
    },
    Load {
        line: "--op mix:90 --clients 32 --pipeline 16",
        yields: &[
            ("mix-32x16", Figure::PerSecond),
            ("mix-p99", Figure::LatencyUs("p99")),
        ],
    },
    Load {
        line: "--op sessions --clients 16",
        yields: &[("sessions", Figure::PerSecond)],
    },
    Load {
        line: "--op watch-fanout --clients 1000 --rounds 20",
        yields: &[("fanout", Figure::LatencyUs("p50"))],
    },
    Load {
        line: "--op create --clients 32 --pipeline 16",
        yields: &[("create-32x16", Figure::PerSecond)],
    },
];

fn measure(args: &Args, product: Product, samples: &mut Samples) -> Result<()> {
    let home = Home::new(product)?;
    let server = Server::serving(product, &home, &[])?;
    let address = server.address().to_string();
    let target = ["--server", address.as_str()];
    generator::run(&target, WARM_UP, &[])?;
    for load in LOADS {
        if figure::wants_any(args, load.yields) {
            let measured = generator::run(&target, load.line, &args.timing())?;
            figure::add(samples, product, load.yields, &measured, None)?;
        }
    }
    server.stop()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_one_load() {
        figure::assert_each_once(&KIND, LOADS.iter().flat_map(|load| load.yields));
    }
}
