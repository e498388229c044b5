//! Members that are told to stop, and leaders that are held up for less than a fail-over: how long
//! writes wait, and that nobody else is elected.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::ensemble::cluster::Ensemble;
use crate::ensemble::load::{Load, Outcomes};
use crate::server::Which;

use super::{CALM, Figures};

/// Pauses of a leader that no election may follow.
const BLINK: Duration = Duration::from_millis(450);
/// Threads that do nothing but compute, for each processor.
const BURNERS: usize = 4;
/// How long they do.
const BURN: Duration = Duration::from_secs(15);

fn of_ours(ensemble: &Ensemble) -> bool {
    ensemble.members().iter().all(|m| m.kind == Which::Ours)
}

/// What was acknowledged is there, and sessions stayed.
fn checked(ensemble: &Ensemble, outcomes: &Outcomes, large: bool) -> Result<()> {
    if large {
        ensemble.equal_digests()?;
    } else {
        outcomes.verify(&ensemble.equal_trees()?)?;
    }
    let lost = outcomes.sessions_lost();
    ensure!(lost == 0 || !of_ours(ensemble), "{lost} sessions lost");
    Ok(())
}

/// Longest time without an acknowledged write while the leader stops on SIGTERM.
///
/// # Errors
/// When the ensemble does not go on, or something acknowledged is lost.
pub(super) fn hand_overs(ensemble: &mut Ensemble, faults: usize, large: bool) -> Result<Figures> {
    let (mut samples, mut writes) = (Vec::new(), 0);
    for _ in 0..faults {
        ensemble.await_serving()?;
        let leader = ensemble.await_leader()?;
        let load = Load::start(&ensemble.addresses_without(leader))?;
        std::thread::sleep(CALM);
        ensemble.member_mut(leader).stop()?;
        ensemble.await_other_leader(leader)?;
        std::thread::sleep(CALM);
        let outcomes = load.finish();
        ensemble.start(leader)?;
        ensemble.await_serving()?;
        checked(ensemble, &outcomes, large)?;
        writes += outcomes.acknowledged();
        samples.push(outcomes.longest_gap().as_secs_f64() * 1000.0);
    }
    Ok(Figures {
        what: "leader SIGTERM, longest write gap on survivors",
        samples,
        beside: format!("{writes} acknowledged writes, none lost"),
    })
}

/// Longest time without an acknowledged write while every member is restarted in turn.
///
/// # Errors
/// As [`hand_overs`].
pub(super) fn rolling_restarts(
    ensemble: &mut Ensemble,
    faults: usize,
    large: bool,
) -> Result<Figures> {
    let ids = ensemble.running();
    let (mut samples, mut writes, mut connections) = (Vec::new(), 0, 0);
    for _ in 0..faults {
        let load = Load::start(&ensemble.addresses())?;
        std::thread::sleep(CALM);
        for &id in &ids {
            ensemble.restart(id)?;
            std::thread::sleep(CALM);
        }
        let outcomes = load.finish();
        checked(ensemble, &outcomes, large)?;
        writes += outcomes.acknowledged();
        connections += outcomes.connections_lost();
        samples.push(outcomes.longest_gap().as_secs_f64() * 1000.0);
    }
    Ok(Figures {
        what: "rolling restart, longest write gap",
        samples,
        beside: format!("{writes} acknowledged writes, none lost; {connections} connections moved"),
    })
}

/// Short pauses of the leader: it goes on to lead, in the same epoch.
///
/// # Errors
/// When another one was elected among servers of ours.
pub(super) fn blinks(ensemble: &mut Ensemble, faults: usize, large: bool) -> Result<Figures> {
    let before = reign(ensemble)?;
    let (mut samples, mut elections) = (Vec::new(), 0);
    for _ in 0..faults {
        let leader = ensemble.await_leader()?;
        let load = Load::start(&ensemble.addresses_without(leader))?;
        std::thread::sleep(CALM);
        ensemble.member_mut(leader).pause()?;
        std::thread::sleep(BLINK);
        ensemble.member_mut(leader).resume()?;
        std::thread::sleep(CALM);
        let outcomes = load.finish();
        ensemble.await_serving()?;
        checked(ensemble, &outcomes, large)?;
        samples.push(outcomes.longest_gap().as_secs_f64() * 1000.0);
    }
    let after = reign(ensemble)?;
    elections += after.1 - before.1;
    ensure!(
        elections == 0 || !of_ours(ensemble),
        "pauses of {BLINK:?}: server {} led epoch {}, now {} leads {}",
        before.0,
        before.1,
        after.0,
        after.1
    );
    Ok(Figures {
        what: "leader paused for 450 ms, longest write gap",
        samples,
        beside: format!("{elections} elections"),
    })
}

/// Every processor is taken by others while clients write: who leads goes on to lead.
///
/// # Errors
/// When another one was elected among servers of ours.
pub(super) fn full_load(ensemble: &mut Ensemble, faults: usize, large: bool) -> Result<Figures> {
    let before = reign(ensemble)?;
    let mut samples = Vec::new();
    let burners = BURNERS * std::thread::available_parallelism()?.get();
    for _ in 0..faults {
        let load = Load::start(&ensemble.addresses())?;
        burn(burners, BURN);
        let outcomes = load.finish();
        ensemble.await_serving()?;
        checked(ensemble, &outcomes, large)?;
        samples.push(outcomes.longest_gap().as_secs_f64() * 1000.0);
    }
    let after = reign(ensemble)?;
    ensure!(
        after == before || !of_ours(ensemble),
        "under {burners} computing threads: server {} led epoch {}, now {} leads {}",
        before.0,
        before.1,
        after.0,
        after.1
    );
    Ok(Figures {
        what: "machine at full load, longest write gap",
        samples,
        beside: format!(
            "{burners} computing threads for {} s, {} elections",
            BURN.as_secs(),
            after.1 - before.1
        ),
    })
}

fn burn(threads: usize, time: Duration) {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let until = Instant::now() + time;
        std::thread::sleep(until.saturating_duration_since(Instant::now()));
        over.store(true, Ordering::Relaxed);
    });
}

/// Who leads, and which epoch.
fn reign(ensemble: &mut Ensemble) -> Result<(u64, u64)> {
    ensemble.await_serving()?;
    let leader = ensemble.await_leader()?;
    let zxid = ensemble.member(leader).zxid();
    Ok((leader, zxid.context("the leader's zxid")? >> 32))
}
