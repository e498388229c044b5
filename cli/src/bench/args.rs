use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Result, ensure};

/// What to measure and how.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Servers to load, host:port, comma separated. Connections are dealt out to them in turn;
    /// what is prepared is prepared through the first.
    #[arg(long, default_value = "127.0.0.1:2181")]
    pub server: String,
    /// Connections, each with a session of its own.
    #[arg(long, default_value_t = 32)]
    pub clients: usize,
    /// Requests that each connection keeps outstanding.
    #[arg(long, default_value_t = 1)]
    pub pipeline: usize,
    /// get, set, create, mix:READ_PERCENT, watch-fanout, sessions, idle or fill.
    #[arg(long, default_value = "get")]
    pub op: Op,
    /// Bytes of data per znode.
    #[arg(long, default_value_t = 100)]
    pub size: usize,
    /// Znodes that get, set and mix choose from, or that fill creates.
    #[arg(long, default_value_t = 10_000)]
    pub keys: u64,
    /// Requests per second of all connections together, at most; only with a pipeline that
    /// leaves room for them. 0 is without limit.
    #[arg(long, default_value_t = 0)]
    pub rate: u64,
    /// Seconds to measure; for idle, seconds to hold the sessions.
    #[arg(long, default_value_t = 10.0)]
    pub duration: f64,
    /// Seconds of the same load before measuring.
    #[arg(long, default_value_t = 0.0)]
    pub warmup: f64,
    /// Threads that share the connections. With as many threads as clients and a pipeline
    /// of one, each thread uses a blocking socket.
    #[arg(long, default_value_t = 1)]
    pub threads: usize,
    /// Rounds of watch-fanout.
    #[arg(long, default_value_t = 20)]
    pub rounds: usize,
    /// Session timeout to ask for, milliseconds.
    #[arg(long, default_value_t = 30_000)]
    pub session_timeout_ms: i32,
    /// Print one line of JSON instead of text.
    #[arg(long)]
    pub json: bool,
    /// Seed of the choice of keys and data.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Znode under which everything happens; it is created when missing and left behind.
    #[arg(long, default_value = "/zabkeeper-bench")]
    pub prefix: String,
    /// Load an empty responder inside this process instead of a server: shows the
    /// generator's own ceiling.
    #[arg(long)]
    pub null_responder: bool,
}

/// Largest data of a znode that stays below the default `jute.maxbuffer` with its request.
const SIZE_MAX: usize = 1_000_000;
/// Most requests that one connection may keep outstanding.
const PIPELINE_MAX: usize = 100_000;
/// Most digits that the name of a key has.
const KEYS_MAX: u64 = 1_000_000_000;

impl Args {
    pub(super) fn validate(&self) -> Result<()> {
        ensure!(self.clients > 0, "--clients: at least 1");
        ensure!(
            (1..=PIPELINE_MAX).contains(&self.pipeline),
            "--pipeline: 1 to {PIPELINE_MAX}"
        );
        ensure!(self.size <= SIZE_MAX, "--size: at most {SIZE_MAX}");
        ensure!(
            (1..=KEYS_MAX).contains(&self.keys),
            "--keys: 1 to {KEYS_MAX}"
        );
        ensure!(
            (1..=self.clients).contains(&self.threads),
            "--threads: 1 to the number of clients"
        );
        ensure!(self.rounds > 0, "--rounds: at least 1");
        for (name, seconds) in [("duration", self.duration), ("warmup", self.warmup)] {
            ensure!(
                (0.0..=86_400.0).contains(&seconds),
                "--{name}: 0 to 86400 seconds"
            );
        }
        jute::path::validate(&self.prefix)
            .map_err(|error| anyhow::anyhow!("--prefix {}: {error}", self.prefix))?;
        ensure!(self.prefix != "/", "--prefix: a znode below the root");
        Ok(())
    }

    /// Time between two requests of one connection, if they are paced.
    pub(super) fn interval(&self) -> Option<Duration> {
        let each = self.rate as f64 / self.clients as f64;
        (self.rate > 0).then(|| Duration::from_secs_f64(1.0 / each))
    }

    pub(super) fn duration(&self) -> Duration {
        Duration::from_secs_f64(self.duration)
    }

    pub(super) fn warmup(&self) -> Duration {
        Duration::from_secs_f64(self.warmup)
    }
}

/// The kinds of load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// getData of random keys.
    Get,
    /// setData of random keys.
    Set,
    /// create of new znodes, one parent per connection.
    Create,
    /// getData and setData of random keys.
    Mix {
        /// Share of getData, in percent.
        read_percent: u8,
    },
    /// All sessions watch one znode; how long until one change has reached them all?
    WatchFanout,
    /// Open a session, create an ephemeral, close the session.
    Sessions,
    /// Open sessions and keep them alive.
    Idle,
    /// Create `keys` znodes on two levels, then stop.
    Fill,
}

impl FromStr for Op {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "get" => Self::Get,
            "set" => Self::Set,
            "create" => Self::Create,
            "watch-fanout" => Self::WatchFanout,
            "sessions" => Self::Sessions,
            "idle" => Self::Idle,
            "fill" => Self::Fill,
            _ => match text.strip_prefix("mix:").map(u8::from_str) {
                Some(Ok(read_percent)) if read_percent <= 100 => Self::Mix { read_percent },
                Some(_) => return Err("mix:READ_PERCENT takes 0 to 100".to_owned()),
                None => {
                    return Err("one of get, set, create, mix:READ_PERCENT, watch-fanout, \
                                sessions, idle, fill"
                        .to_owned());
                }
            },
        })
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Get => f.write_str("get"),
            Self::Set => f.write_str("set"),
            Self::Create => f.write_str("create"),
            Self::Mix { read_percent } => write!(f, "mix:{read_percent}"),
            Self::WatchFanout => f.write_str("watch-fanout"),
            Self::Sessions => f.write_str("sessions"),
            Self::Idle => f.write_str("idle"),
            Self::Fill => f.write_str("fill"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ops_read_back_what_they_print() {
        for text in [
            "get",
            "set",
            "create",
            "mix:0",
            "mix:90",
            "mix:100",
            "watch-fanout",
            "sessions",
            "idle",
            "fill",
        ] {
            assert_eq!(text.parse::<Op>().unwrap().to_string(), text);
        }
        for text in ["", "mix", "mix:", "mix:101", "mix:-1", "gets"] {
            assert!(text.parse::<Op>().is_err(), "{text}");
        }
    }
}
