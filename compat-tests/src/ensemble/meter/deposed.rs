//! A leader that dies, or falls silent: how long writes wait, who loses a connection or a
//! session, and what a leader that wakes up as none says.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::ensemble::client::{Client, Outcome, data_and_stat, path_body, set_body};
use crate::ensemble::cluster::Ensemble;
use crate::ensemble::idle::Idle;
use crate::server::Which;
use crate::wire::{create_body, op, path_watch_body};

use super::{CALM, Figures, LIMIT, PATH, PATIENCE};

/// A leader has led for so long before it is frozen: its followers have to learn that it is one
/// that pings often (nine pings, tickTime/8 apart), or they give it up like one of Apache's.
const SETTLED: Duration = Duration::from_secs(3);
/// Idle sessions on each member.
const IDLE: usize = 10;
/// Clients whose requests wait in the sockets of a frozen leader.
const QUEUED: usize = 5;
/// Longest wait for what a woken leader says to them.
const WOKEN_LIMIT: Duration = Duration::from_secs(20);

/// What happens to the leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strike {
    /// SIGKILL: its connections end.
    Kill,
    /// SIGSTOP: nobody is told.
    Pause,
}

/// What was lost, over all faults.
#[derive(Debug, Default)]
struct Losses {
    /// Connections that survivors dropped, of how many.
    dropped: usize,
    dropped_by_ours: usize,
    idle: usize,
    /// Sessions that were given up.
    expired: u32,
    woken: Woken,
}

/// What woken leaders said to those that had asked while they were frozen.
#[derive(Debug, Default)]
struct Woken {
    synced_reads: usize,
    writes: usize,
    unanswered: usize,
}

/// From the fault to the first acknowledged write through a survivor that was sent behind it.
///
/// # Errors
/// When the ensemble does not go on, or breaks a promise.
pub(super) fn measure(
    ensemble: &mut Ensemble,
    strike: Strike,
    faults: usize,
    large: bool,
) -> Result<Figures> {
    let addresses = ensemble.addresses();
    Client::new(&addresses, PATIENCE).ensure_node(PATH, b"0", LIMIT)?;
    let (mut samples, mut losses) = (Vec::new(), Losses::default());
    for fault in 1..=faults {
        let took = one(ensemble, strike, fault, &mut losses);
        let took = took.with_context(|| format!("{strike:?} {fault}"))?;
        samples.push(took.as_secs_f64() * 1000.0);
    }
    ensemble.await_serving()?;
    if large {
        ensemble.equal_digests()?;
    } else {
        ensemble.equal_trees()?;
    }
    let ours = ensemble.members().iter().all(|m| m.kind == Which::Ours);
    let what = match strike {
        Strike::Kill => "leader SIGKILL",
        Strike::Pause => "leader SIGSTOP",
    };
    let Losses { dropped, idle, .. } = losses;
    let mut beside = format!(
        "{dropped} of {idle} idle connections on survivors dropped, {} sessions expired",
        losses.expired
    );
    if strike == Strike::Pause {
        let Woken {
            synced_reads,
            writes,
            unanswered,
        } = losses.woken;
        beside.push_str(&format!(
            "; of {} clients that asked the frozen leader it answered {synced_reads} synced reads, none stale, and \
             acknowledged {writes} writes, none lost; {unanswered} heard nothing",
            QUEUED * faults
        ));
    }
    ensure!(losses.dropped_by_ours == 0, "{beside}");
    ensure!(losses.expired == 0 || !ours, "{beside}");
    Ok(Figures {
        what,
        samples,
        beside,
    })
}

fn one(
    ensemble: &mut Ensemble,
    strike: Strike,
    fault: usize,
    losses: &mut Losses,
) -> Result<Duration> {
    ensemble.await_serving()?;
    let leader = ensemble.await_leader()?;
    let survivors = ensemble.running_without(leader);
    let timeout = PATIENCE.session;
    let mut idle = Idle::on(ensemble, &survivors, IDLE, timeout)?;
    let on_leader = Idle::on(ensemble, &[leader], IDLE, timeout)?;
    let probes = Probes::ready(&ensemble.addresses_without(leader))?;
    let mut asking = Vec::new();
    if strike == Strike::Pause {
        let address = ensemble.member(leader).address;
        for _ in 0..QUEUED {
            asking.push(Client::connected(&[address], PATIENCE, LIMIT)?);
        }
    }
    std::thread::sleep(match strike {
        Strike::Kill => CALM,
        Strike::Pause => SETTLED,
    });
    let took = probes.time_to_write(|| match strike {
        Strike::Kill => ensemble.member_mut(leader).kill(),
        Strike::Pause => ensemble.member_mut(leader).pause(),
    })?;
    match strike {
        Strike::Kill => ensemble.start(leader)?,
        Strike::Pause => {
            let woken = wake(ensemble, leader, fault, asking)?;
            losses.woken.synced_reads += woken.synced_reads;
            losses.woken.writes += woken.writes;
            losses.woken.unanswered += woken.unanswered;
        }
    }
    ensemble.await_serving()?;
    losses.idle += idle.len();
    let dropped = idle.dropped();
    losses.dropped += dropped.len();
    let by_ours = dropped
        .iter()
        .filter(|id| ensemble.member(**id).kind == Which::Ours);
    losses.dropped_by_ours += by_ours.count();
    losses.expired += idle.expired(ensemble)? + on_leader.expired(ensemble)?;
    Ok(took)
}

/// The leader is frozen, and another one is there. Clients ask the frozen one to sync, read and
/// write; the survivors acknowledge another write; the frozen one goes on. A synced read must show
/// that write, and a write that is acknowledged must be there.
fn wake(
    ensemble: &mut Ensemble,
    leader: u64,
    fault: usize,
    mut asking: Vec<Client>,
) -> Result<Woken> {
    let node = |client: usize| format!("/woken-{fault}-{client}");
    let survivors = ensemble.addresses_without(leader);
    let mut writer = Client::connected(&survivors, PATIENCE, LIMIT)?;
    for (number, client) in asking.iter_mut().enumerate() {
        client.send_only(op::SYNC, &path_body(PATH))?;
        client.send_only(op::GET_DATA, &path_watch_body(PATH, false))?;
        client.send_only(op::CREATE, &create_body(&node(number), b"", 0))?;
    }
    let fresh = format!("fault {fault}");
    writer.insist(op::SET_DATA, &set_body(PATH, fresh.as_bytes(), -1), LIMIT)?;
    ensemble.member_mut(leader).resume()?;
    let mut woken = Woken::default();
    let mut written = Vec::new();
    let deadline = Instant::now() + WOKEN_LIMIT;
    for (number, client) in asking.iter_mut().enumerate() {
        let heard = client.answers(3, deadline);
        if let [sync, read, ..] = &heard[..]
            && sync.error == 0
            && read.error == 0
        {
            let (data, _) = data_and_stat(&read.body)?;
            ensure!(
                data == fresh.as_bytes(),
                "a leader that was frozen answers a synced read with {:?} instead of {fresh:?}",
                String::from_utf8_lossy(&data)
            );
            woken.synced_reads += 1;
        }
        match heard.get(2) {
            Some(reply) if reply.error == 0 => written.push(number),
            Some(_) => {}
            None => woken.unanswered += usize::from(heard.is_empty()),
        }
    }
    woken.writes = written.len();
    writer.sync(LIMIT)?;
    for number in written {
        let found = writer.get(&node(number), LIMIT);
        found.with_context(|| format!("{} was acknowledged", node(number)))?;
    }
    Ok(woken)
}

/// A session on each survivor, made before the fault.
struct Probes {
    clients: Vec<Client>,
}

impl Probes {
    fn ready(survivors: &[SocketAddr]) -> Result<Self> {
        let clients = survivors
            .iter()
            .map(|address| Client::connected(&[*address], PATIENCE, LIMIT));
        Ok(Self {
            clients: clients.collect::<Result<_>>()?,
        })
    }

    /// The time from `strike` to the first acknowledgement of a write that was sent after it.
    fn time_to_write(self, strike: impl FnOnce() -> Result<()>) -> Result<Duration> {
        let (over, first) = (AtomicBool::new(false), Mutex::new(None));
        std::thread::scope(|scope| {
            let began = Instant::now();
            let struck = strike();
            for mut client in self.clients {
                let (over, first) = (&over, &first);
                scope.spawn(move || {
                    while !over.load(Ordering::Relaxed) && began.elapsed() < LIMIT {
                        let outcome = client.call(op::SET_DATA, &set_body(PATH, b"", -1));
                        if matches!(&outcome, Outcome::Answered(reply) if reply.error == 0) {
                            let took = began.elapsed();
                            over.store(true, Ordering::Relaxed);
                            let mut first = first.lock().expect("no holder panics");
                            *first = Some(first.map_or(took, |known: Duration| known.min(took)));
                        }
                    }
                });
            }
            struck
        })?;
        let first = first.into_inner().expect("no holder panics");
        first.with_context(|| format!("no write was acknowledged within {LIMIT:?}"))
    }
}
