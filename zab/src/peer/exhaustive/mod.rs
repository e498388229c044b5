//! Every election of three servers, within bounds: all orders in which messages of different links
//! arrive, in which servers start and last waits end, with so many faults (a crash, a broken
//! connection, a role given up for nothing) at any moment.
//!
//! The servers are [`Peer`](crate::Peer)s. What one server does at one event depends on nothing but
//! its own state, so each such step is run once and then looked up ([`local`]); a state of the
//! whole is a few small numbers ([`world`]); and the search ([`search`]) sees millions of them.
//!
//! What must hold:
//!
//! * **Justified.** Who decides for a leader has heard a quorum vote for it in that round, and no
//!   one of that quorum has a newer history than the leader.
//! * **One leader a round.** No two servers are elected by a quorum in the same round, counting
//!   everyone whom its votes ever made settle on them in that round and who has not crashed since:
//!   rounds are not kept on disk.
//! * **Always a way.** From every state that can be reached at all some leader, with a quorum that
//!   joins it, can be reached without any fault.
//! * **Always the way.** It is reached if messages arrive and time passes in a fixed order,
//!   forwards or backwards.
//!
//! Without faults and with two messages on a link all of this takes a second, with a fault and one
//! message on a link some 15; `ZAB_ELECTION_FAULTS` and `ZAB_ELECTION_LINK` set both for all
//! histories, `ZAB_ELECTION_ALL=1` takes each combination of four histories.

mod local;
mod numbers;
mod search;
mod world;

use crate::{Epoch, Standing};
use jute::Zxid;

/// Servers, all of them voters.
const SERVERS: usize = 3;

/// What a server's disk holds: epoch, last zxid, and what that is worth.
#[derive(Clone, Copy, Debug)]
struct Past {
    epoch: Epoch,
    zxid: Zxid,
    standing: Standing,
}

const fn past(epoch: i64, zxid: i64) -> Past {
    Past {
        epoch: Epoch(epoch),
        zxid: Zxid(zxid),
        standing: Standing::Sound,
    }
}

/// A disk that was wiped, or is new.
const EMPTY: Past = Past {
    standing: Standing::Empty,
    ..past(0, 0)
};

/// Histories that disagree in every way about who is the best.
const SOME: [[Past; SERVERS]; 5] = [
    // The id decides.
    [past(1, 5), past(1, 5), past(1, 5)],
    // The zxid does, against the id.
    [past(1, 7), past(1, 6), past(1, 5)],
    // The epoch does, against zxid and id.
    [past(2, 1), past(1, 9), past(1, 9)],
    // The best one is in the middle.
    [past(1, 9), past(2, 3), past(2, 2)],
    // One that has lost everything, with the largest id.
    [past(1, 5), past(1, 6), EMPTY],
];

fn number(name: &str) -> Option<u8> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name}: {value}")))
}

/// All combinations of two epochs and two zxids.
fn all() -> Vec<[Past; SERVERS]> {
    let each = [past(1, 5), past(1, 9), past(2, 3), past(2, 5)];
    let pick = |at: usize| each[at % each.len()];
    let count = each.len().pow(3);
    let combination = |at: usize| [pick(at), pick(at / 4), pick(at / 16)];
    (0..count).map(combination).collect()
}

/// Searches; how many states there are depends only on whether all histories are sound: votes are
/// always in one order.
fn search_all(pasts: &[[Past; SERVERS]], faults: u8, link: usize) -> search::Found {
    let mut total = search::Found::default();
    let mut sound = None;
    for pasts in pasts {
        let found = search::run(*pasts, faults, link);
        let is_sound = pasts.iter().all(|past| past.standing == Standing::Sound);
        let pasts = pasts.map(|past| (past.epoch.0, past.zxid.0, past.standing));
        println!("{pasts:?}: {found:?}");
        if is_sound {
            assert_eq!(found, *sound.get_or_insert(found), "only the order counts");
        }
        total += found;
    }
    println!("{total:?}: faults {faults}, messages on a link {link}");
    assert!(total.elected > 0 && total.states > total.elected);
    total
}

#[test]
fn every_election_of_three() {
    let faults = number("ZAB_ELECTION_FAULTS");
    let link = number("ZAB_ELECTION_LINK").map(usize::from);
    let all_pasts = number("ZAB_ELECTION_ALL").map(|_| all());
    if (faults, link) != (None, None) || all_pasts.is_some() {
        let pasts = all_pasts.unwrap_or_else(|| SOME.to_vec());
        search_all(&pasts, faults.unwrap_or(1), link.unwrap_or(1));
        return;
    }
    search_all(&SOME, 0, world::LINK_MAX);
    search_all(&SOME[3..], 1, 1);
}
