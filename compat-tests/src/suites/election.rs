//! Our links in the place of one server of an ensemble whose others are Apache's: what they say
//! on the election port, and that they take what we say.

mod links;

use anyhow::{Context as _, Result, ensure};
use jute::Zxid;
use jute::quorum::ServerId;
use jute::quorum::election::ServerState;
use zab::Epoch;
use zab::election::{Notification, Vote};

use self::links::{Ensemble, Links};

use crate::process::tail;
use crate::report::Report;
use crate::server::{Launcher, Which};

/// What to test.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Options {
    /// The other servers; both versions of Apache's if none is given.
    #[arg(long, value_enum)]
    server: Vec<Which>,
    /// Run only the rows that contain this text.
    #[arg(long)]
    only: Option<String>,
}

/// Ids of the three servers.
const IDS: [i64; 3] = [1, 2, 3];
/// The one that looks for a leader with us.
const OTHER: i64 = 2;

/// Runs the table.
///
/// # Errors
/// None: what fails is a row of the table.
pub(crate) fn run(launcher: &Launcher, options: &Options) -> Result<bool> {
    let mut report = Report::new("election");
    let both = [Which::Apache395, Which::Apache380];
    let servers = if options.server.is_empty() {
        &both[..]
    } else {
        &options.server
    };
    let mut row = |name: String, body: &dyn Fn() -> Result<()>| {
        let wanted = options.only.as_ref();
        if wanted.is_none_or(|only| name.contains(only.as_str())) {
            report.check(&name, body);
        }
    };
    for &which in servers {
        let version = which.name();
        for me in IDS {
            row(
                format!("{version}: server {me} asks two that have a leader"),
                &|| established(launcher, which, me),
            );
        }
        for (me, multi_address) in [(1, false), (3, false), (1, true), (3, true)] {
            let form = if multi_address {
                ", several addresses"
            } else {
                ""
            };
            row(
                format!("{version}: server {me} elects with server 2{form}"),
                &|| looking(launcher, which, me, multi_address),
            );
        }
    }
    Ok(report.finish())
}

/// A vote for this server, as a fresh one casts it.
fn vote(leader: i64, zxid: i64, round: i64, ensemble: &Ensemble) -> Notification {
    Notification {
        state: ServerState::Looking,
        vote: Vote {
            leader: ServerId(leader),
            zxid: Zxid(zxid),
            peer_epoch: Epoch::ZERO,
        },
        round,
        version: Notification::VERSION,
        config: Some(ensemble.config.clone()),
    }
}

/// Two servers have a leader. We ask both, one of them dies and comes back.
fn established(launcher: &Launcher, which: Which, me: i64) -> Result<()> {
    let ensemble = Ensemble::new(&IDS, false)?;
    let [follower, leader] = match me {
        1 => [2, 3],
        2 => [1, 3],
        _ => [1, 2],
    };
    let mut servers = [
        ensemble.spawn(launcher, which, follower)?,
        ensemble.spawn(launcher, which, leader)?,
    ];
    for server in &mut servers {
        server.await_ready()?;
    }
    let [first, second] = servers;
    let links = Links::start(&ensemble, me)?;
    let ask = vote(me, 0, 1, &ensemble);
    for (from, state) in [
        (follower, ServerState::Following),
        (leader, ServerState::Leading),
    ] {
        let answer = links.ask(from, &ask, |answer| answer.state != ServerState::Looking)?;
        let expected = Notification {
            state,
            vote: Vote {
                leader: ServerId(leader),
                zxid: Zxid(0),
                peer_epoch: Epoch(1),
            },
            ..answer.clone()
        };
        ensure!(answer == expected, "server {from} answered {answer:?}");
        ensure!(answer.round >= 1, "server {from} answered {answer:?}");
        ensemble.is_config_of(&answer)?;
    }
    first.kill()?;
    links.await_unreachable(follower, &ask)?;
    let again = ensemble.spawn(launcher, which, follower)?;
    // It tells everybody that it looks for a leader. We are dialled, or called back.
    links.await_from(follower, |told| told.state == ServerState::Looking)?;
    links.end()?;
    understood(&again.log())?;
    understood(&second.log())
}

/// One server looks for a leader together with us, and takes over the better vote.
fn looking(launcher: &Launcher, which: Which, me: i64, multi_address: bool) -> Result<()> {
    let ensemble = Ensemble::new(&IDS, multi_address)?;
    let links = Links::start(&ensemble, me)?;
    let _leader = ensemble.mute_leader(me)?;
    let server = ensemble.spawn(launcher, which, OTHER)?;
    elect(&ensemble, &links, me).with_context(|| tail(&server.log()).to_owned())?;
    links.end()?;
    understood(&server.log())
}

fn elect(ensemble: &Ensemble, links: &Links, me: i64) -> Result<()> {
    let first = links.await_from(OTHER, |_| true)?;
    let own = vote(OTHER, 0, 1, ensemble);
    ensure!(first == own, "it began with {first:?}");
    ensemble.is_config_of(&first)?;
    let better = vote(me, 5, 1, ensemble);
    let second = links.ask(OTHER, &better, |answer| answer.vote.leader.0 == me)?;
    ensure!(second == better, "it changed to {second:?}");
    // With our two votes there is a leader.
    let third = links.ask(OTHER, &better, |answer| {
        answer.state != ServerState::Looking
    })?;
    ensure!(
        third.state == ServerState::Following && third.vote == better.vote,
        "it ended with {third:?}"
    );
    Ok(())
}

/// Whether the server had nothing to say against our initial messages and notifications.
fn understood(log: &str) -> Result<()> {
    for complaint in [
        "Initial message parsing error",
        "Unreasonable buffer length",
        "Badly formed address",
        "Got a short response",
        "Skipping the processing of a partial message",
        "Something went wrong while processing config",
        "Received packet with invalid packet",
    ] {
        let said = log.lines().find(|line| line.contains(complaint));
        ensure!(
            said.is_none(),
            "the server logged: {}",
            said.unwrap_or_default()
        );
    }
    Ok(())
}
