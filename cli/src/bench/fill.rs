//! Creates many znodes on two levels, as fast as the server takes them.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::load::{Schedule, run_threads};
use super::report::Report;
use super::requests::{self, FILL_CHILDREN, Fill, Requests, Template};
use super::session::Session;
use super::{Args, setup};

/// A fill that takes longer than this is cut off and shows in the count.
const FILL_LIMIT: Duration = Duration::from_secs(24 * 3600);

pub(super) fn measure(args: &Args, servers: &[SocketAddr]) -> Result<Report> {
    let data = requests::data(args.size, args.seed);
    let mut session = Session::open(servers[0], args.session_timeout_ms)?;
    setup::ensure_prefix(&mut session, &args.prefix)?;
    let parents = Template::create(&Fill::parent_stem(&args.prefix), b"");
    setup::ensure_numbered(&mut session, &parents, args.keys.div_ceil(FILL_CHILDREN))?;
    session.close()?;

    let clients = args.clients as u64;
    let streams = (0..clients)
        .map(|n| Requests::Fill(Fill::new(&args.prefix, &data, args.keys, n, clients)))
        .collect();
    let start = Instant::now();
    let schedule = Schedule {
        measure_from: start,
        until: start + FILL_LIMIT,
    };
    let tally = run_threads(args, servers, streams, schedule)?;
    let seconds = start.elapsed().as_secs_f64();
    let count = tally.latency.len();
    Ok(Report::new(args, "znodes", count, seconds, tally))
}
