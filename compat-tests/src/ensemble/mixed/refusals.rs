//! Requests that kill or stall a leader of Apache's: a learner of ours refuses them where they come
//! in, and a leader of ours survives them when a learner of Apache's forwards them.

use anyhow::{Context as _, Result, ensure};

use crate::ensemble::client::{Client, Outcome, set_body};
use crate::ensemble::cluster::{self, Ensemble};
use crate::ensemble::config::Plan;
use crate::server::{Launcher, Which};
use crate::wire::{Writer, create_body, multi_body, op};

use super::sync::make_leader;
use super::{LIMIT, client_of, settled, write_some};

/// Written between the requests, to see that writes go on.
const PROBE: &str = "/probe";
/// What every request is about; it exists, has no children, and must still be there at the end.
const TARGET: &str = "/target";
/// deleteContainer: the leader's own. 3.9.5 takes it from anybody, and asks for no rights.
const DELETE_CONTAINER: i32 = 20;
/// createSession: the leader's own. Apache answers it with a second connect response.
const CREATE_SESSION: i32 = -10;
/// A code that no version knows.
const UNKNOWN: i32 = 77;
/// Flags of createTTL that ask for no TTL: persistent, ephemeral, both sequential, container.
const NO_TTL_FLAGS: [i32; 5] = [0, 1, 2, 3, 4];

/// One request.
struct Poison {
    name: String,
    code: i32,
    body: Vec<u8>,
}

fn poison(name: impl Into<String>, code: i32, body: Vec<u8>) -> Poison {
    let name = name.into();
    Poison { name, code, body }
}

fn check_body() -> Vec<u8> {
    Writer::default().string(Some(TARGET)).int(0).0
}

fn delete_body() -> Vec<u8> {
    Writer::default().string(Some(TARGET)).int(-1).0
}

fn ttl_body(flags: i32, ttl_ms: i64) -> Vec<u8> {
    let created = Writer(create_body("/never", b"x", flags));
    created.long(ttl_ms).0
}

/// Every request that must not reach a leader of Apache's.
fn requests() -> Vec<Poison> {
    let plain = || (op::SET_DATA, set_body(TARGET, b"by a multi", -1));
    let mut all = vec![
        // Stops every server of 3.8.0 (ZOOKEEPER-2623).
        poison("check", op::CHECK, check_body()),
        poison("deleteContainer", DELETE_CONTAINER, delete_body()),
        poison(
            "createSession",
            CREATE_SESSION,
            Writer::default().int(9000).0,
        ),
        poison("unknown", UNKNOWN, check_body()),
        poison(
            "deleteContainer in a multi",
            op::MULTI,
            multi_body(&[plain(), (DELETE_CONTAINER, delete_body())]),
        ),
    ];
    // Passes Apache's checks, and throws while it is applied: the log cannot be replayed either.
    for flags in NO_TTL_FLAGS {
        for ttl in [-1, i64::MIN] {
            let name = format!("createTTL with flags {flags} and TTL {ttl}");
            all.push(poison(name, op::CREATE_TTL, ttl_body(flags, ttl)));
        }
    }
    // Apache's leader logs an error under a zxid that is taken: all writes stop.
    let acl = Writer::default().string(Some(TARGET)).int(1).int(31);
    let acl = acl.string(Some("world")).string(Some("anyone")).int(-1).0;
    for (name, code, whole) in [
        ("create", op::CREATE, create_body("/never", b"x", 0)),
        ("create2", op::CREATE2, create_body("/never", b"x", 0)),
        (
            "createContainer",
            op::CREATE_CONTAINER,
            create_body("/never", b"x", 4),
        ),
        ("createTTL", op::CREATE_TTL, ttl_body(5, 1000)),
        ("delete", op::DELETE, delete_body()),
        ("setData", op::SET_DATA, set_body(TARGET, b"x", -1)),
        ("setACL", op::SET_ACL, acl),
        ("multi", op::MULTI, multi_body(&[plain()])),
    ] {
        for keep in 0..whole.len() {
            let body = whole[..keep].to_vec();
            all.push(poison(format!("{name} cut to {keep} bytes"), code, body));
        }
    }
    all
}

/// Sends them through number 1, of kind `b`, while 3, of kind `a`, leads.
pub(super) fn refused(launcher: &Launcher, a: Which, b: Which) -> Result<String> {
    cluster::with(launcher, &Plan::voters(&[b, a, a]), |ensemble| {
        make_leader(ensemble, 3)?;
        write_some(ensemble, 1, TARGET, 1)?;
        let mut prober = client_of(ensemble, 2)?;
        prober.ensure_node(PROBE, b"", LIMIT)?;
        let mut client = client_of(ensemble, 1)?;
        client.sync(LIMIT)?;
        let requests = requests();
        let (mut answered, mut closed) = (0, 0);
        let before = ensemble.member(3).zxid()?;
        let mut last = "";
        for request in &requests {
            let connected = client.await_connection(LIMIT);
            connected.with_context(|| format!("connecting behind {last}"))?;
            last = &request.name;
            match client.call(request.code, &request.body) {
                Outcome::Answered(reply) => {
                    answered += 1;
                    ensure!(reply.error != 0, "{} was granted", request.name);
                }
                Outcome::Unknown | Outcome::NotSent => closed += 1,
            }
            probe(ensemble, &mut prober).with_context(|| format!("behind {}", request.name))?;
        }
        if b == Which::Ours {
            // One for each probe: nothing else was forwarded.
            let taken = ensemble.member(3).zxid()? - before;
            ensure!(
                taken == requests.len() as u64,
                "{taken} transactions for {} probes",
                requests.len()
            );
        }
        ensure!(ensemble.await_leader()? == 3, "the leader changed");
        ensure!(client.sessions_lost == 0, "the session was lost");
        write_some(ensemble, 1, "/behind", 20)?;
        let figures = settled(ensemble)?;
        let tree = ensemble.equal_trees()?;
        let target = tree.get(TARGET).context("the target is gone")?;
        ensure!(
            target.data.as_deref() == Some(b"0 by way of 1"),
            "the target was changed to {:?}",
            target.data
        );
        ensure!(!tree.contains_key("/never"), "/never was created");
        // What reached a log must be readable again.
        for id in [3, 2, 1] {
            ensemble.restart(id)?;
        }
        settled(ensemble)?;
        Ok(format!(
            "{} requests, {answered} refused by an answer and {closed} by the end of the connection, a write behind each, {figures}",
            requests.len()
        ))
    })
}

/// The leader's process lives, and acknowledges a write.
fn probe(ensemble: &mut Ensemble, prober: &mut Client) -> Result<()> {
    ensemble.check_alive()?;
    match prober.call(op::SET_DATA, &set_body(PROBE, b"", -1)) {
        Outcome::Answered(reply) if reply.error == 0 => Ok(()),
        other => anyhow::bail!("a write: {other:?}"),
    }
}
