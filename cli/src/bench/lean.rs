//! One connection, one outstanding request: a blocking socket and nothing else, so that
//! the latency measured is the server's and the kernel's.

use std::time::Instant;

use anyhow::Result;

use super::load::Schedule;
use super::requests::Requests;
use super::session::Session;
use super::tally::Tally;

pub(super) fn run(mut session: Session, mut requests: Requests, schedule: Schedule) -> Tally {
    let mut tally = Tally::new();
    if exchange(&mut session, &mut requests, schedule, &mut tally).is_err() {
        tally.lost += 1;
    }
    tally
}

fn exchange(
    session: &mut Session,
    requests: &mut Requests,
    schedule: Schedule,
    tally: &mut Tally,
) -> Result<()> {
    let mut out = Vec::new();
    let mut sent_at = Instant::now();
    while sent_at < schedule.until {
        out.clear();
        let xid = session.next_xid();
        if !requests.append_next(xid, &mut out) {
            break;
        }
        session.send(&out)?;
        let err = session.reply(xid)?.err;
        let now = Instant::now();
        if err != 0 {
            tally.error(err);
        }
        if sent_at >= schedule.measure_from && now < schedule.until {
            tally.record(now - sent_at);
        }
        sent_at = now;
    }
    session.close()
}
