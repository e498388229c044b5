//! Requests per second and their latencies, on one warmed-up ensemble.

use anyhow::Result;

use super::cluster::Ensemble;
use crate::bench::figure::{self, Figure};
use crate::bench::rows::Target::{RatioAtLeast, RatioAtMost};
use crate::bench::rows::{Kind, Samples, row};
use crate::bench::server::Product;
use crate::bench::{Args, generator};

/// The load before anything is measured: three JVMs share the cores with it.
const WARM_UP: &str = "--op mix:50 --clients 32 --pipeline 16 --duration 12";

/// Where the generator connects to.
#[derive(Clone, Copy)]
enum Through {
    All,
    Leader,
    Follower,
}

/// One run of the generator, and the rows that it yields.
struct Load {
    line: &'static str,
    through: Through,
    yields: &'static [(&'static str, Figure)],
}

pub(super) const KIND: Kind = Kind {
    name: "load",
    rows: &[
        row(
            "set-32x16",
            "setData 100 B, 32x16, through all, per second",
            RatioAtLeast(5.0),
        ),
        row(
            "cpu-per-write",
            "CPU of the three servers per such write, us",
            RatioAtMost(0.2),
        ),
        row(
            "set-1k-32x16",
            "setData 1 KiB, 32x16, through all, per second",
            RatioAtLeast(5.0),
        ),
        row(
            "set-1x1-leader",
            "setData 100 B, 1x1, through the leader, p50 us",
            RatioAtMost(0.6),
        ),
        row(
            "set-1x1-follower",
            "setData 100 B, 1x1, through a follower, p50 us",
            RatioAtMost(0.7),
        ),
        row(
            "get-32x16",
            "getData 100 B, 32x16, from all, per second",
            RatioAtLeast(7.0),
        ),
        row(
            "mix-32x16",
            "70/30 mix, 32x16, through all, per second",
            RatioAtLeast(5.0),
        ),
        row(
            "mix-p99",
            "70/30 mix, 32x16, through all, p99 us",
            RatioAtMost(0.25),
        ),
        row(
            "fanout",
            "1,000 sessions on three servers watch one znode: last event, p50 us",
            RatioAtMost(0.5),
        ),
    ],
    measure,
};

const LOADS: &[Load] = &[
    Load {
        line: "--op get --clients 32 --pipeline 16",
        through: Through::All,
        yields: &[("get-32x16", Figure::PerSecond)],
    },
    Load {
        line: "--op set --clients 32 --pipeline 16",
        through: Through::All,
        yields: &[
            ("set-32x16", Figure::PerSecond),
            ("cpu-per-write", Figure::CpuPerWrite),
        ],
    },
    Load {
        line: "--op set --clients 1",
        through: Through::Leader,
        yields: &[("set-1x1-leader", Figure::LatencyUs("p50"))],
    },
    Load {
        line: "--op set --clients 1",
        through: Through::Follower,
        yields: &[("set-1x1-follower", Figure::LatencyUs("p50"))],
    },
    Load {
        line: "--op mix:70 --clients 32 --pipeline 16",
        through: Through::All,
        yields: &[
            ("mix-32x16", Figure::PerSecond),
            ("mix-p99", Figure::LatencyUs("p99")),
        ],
    },
    Load {
        line: "--op watch-fanout --clients 1000 --rounds 20",
        through: Through::All,
        yields: &[("fanout", Figure::LatencyUs("p50"))],
    },
    Load {
        line: "--op set --clients 32 --pipeline 16 --size 1024 --prefix /zabkeeper-bench-1k",
        through: Through::All,
        yields: &[("set-1k-32x16", Figure::PerSecond)],
    },
];

fn measure(args: &Args, product: Product, samples: &mut Samples) -> Result<()> {
    let ensemble = Ensemble::serving(product, &[])?;
    let all = ensemble.addresses()?;
    generator::run(&["--server", &all], WARM_UP, &[])?;
    for load in LOADS {
        if !figure::wants_any(args, load.yields) {
            continue;
        }
        let servers = match load.through {
            Through::All => all.clone(),
            Through::Leader => ensemble.address(ensemble.leader()?),
            Through::Follower => ensemble.address(ensemble.follower()?),
        };
        let before = (ensemble.cpu_seconds()?, ensemble.transactions()?);
        let measured = generator::run(&["--server", &servers], load.line, &args.timing())?;
        let cpu_us = (ensemble.cpu_seconds()? - before.0) * 1e6;
        let transactions = ensemble.transactions()?.saturating_sub(before.1);
        let cpu_per_write = cpu_us / transactions.max(1) as f64;
        figure::add(
            samples,
            product,
            load.yields,
            &measured,
            Some(cpu_per_write),
        )?;
    }
    ensemble.stop()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_one_load() {
        figure::assert_each_once(&KIND, LOADS.iter().flat_map(|load| load.yields));
    }
}
