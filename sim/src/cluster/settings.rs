//! What differs from run to run.

use std::path::{Path, PathBuf};

use jute::quorum::config::Role;
use replica::MemberOptions;
use state::prep::PrepOptions;
use storage::log::SizeFactor;
use storage::{Layout, LogOptions, Preallocation, RollLimits, SnapshotOptions};
use zab::quorum::Config;
use zab::{Options, ServerId, parse_config};

use crate::rng::Rng;
use crate::scenario::Fault;
use crate::settings::{auth_config, state_options};

/// The settings of a run. Everything is small, so that much happens in a short time.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) tick_ms: u32,
    peer: Options,
    preallocation: Preallocation,
    roll: RollLimits,
    compression: storage::Compression,
    size_factor: f64,
    pub(crate) nodes_per_step: usize,
    /// How long it takes at the most until a member hears of what its disk has done, microseconds.
    pub(crate) disk_us: u64,
    /// Are log files prepared before they are needed?
    pub(crate) prepares_ahead: bool,
    /// Snapshots that a purge keeps.
    pub(crate) keep: usize,
    /// The configuration of the first start.
    pub(crate) initial: Config,
    /// Do clients change the configuration?
    pub(crate) reconfigures: bool,
    /// Which servers have the habits of 3.8.
    pub(crate) old_habits: Vec<bool>,
    /// Do followers serve observers?
    pub(crate) observer_masters: bool,
    seed: u64,
}

impl Settings {
    pub(crate) fn draw(rng: &mut Rng, members: usize, kinds: &[Fault]) -> Self {
        let may_reconfigure = kinds.contains(&Fault::Reconfigure);
        let tick_ms = rng.between(200..800);
        let rolls_over = rng.percent(20) && kinds.contains(&Fault::Rollover);
        let peer = Options {
            tick_time_ms: tick_ms,
            init_limit: 10,
            sync_limit: rng.between(2..6),
            leader_connect_delay_ms: rng.between(20..200),
            min_notification_interval_ms: rng.between(50..300),
            max_notification_interval_ms: 3000,
            finalize_wait_ms: rng.between(20..250),
            commit_log_count: rng.between(2..30) as usize,
            counter_max: match rolls_over {
                true => rng.between(8..60) as u32,
                false => Options::COUNTER_MAX,
            },
            observer_masters: rng.percent(50),
            ..Options::default()
        };
        let preallocation = match rng.below(3) {
            0 => Preallocation::ZeroFill {
                step: rng.between(600..6000),
            },
            _ => Preallocation::Off,
        };
        let reconfigures = may_reconfigure && members > 1 && rng.percent(30);
        let initial = initial(rng, members, reconfigures);
        Self {
            tick_ms: tick_ms as u32,
            preallocation,
            roll: RollLimits {
                snap_count: rng.between(8..80),
                snap_size_bytes: rng.percent(20).then_some(8000),
                log_size_bytes: rng.percent(20).then_some(3000),
            },
            compression: match rng.below(8) {
                0 => storage::Compression::Gz,
                1 => storage::Compression::Snappy,
                _ => storage::Compression::None,
            },
            size_factor: match rng.below(5) {
                0 => 0.33,
                1 => -1.0,
                _ => 0.0,
            },
            nodes_per_step: rng.between(1..12) as usize,
            disk_us: [1500, 1500, 8000, 40_000][rng.below(4) as usize],
            prepares_ahead: rng.percent(40),
            keep: rng.between(1..4) as usize,
            initial,
            reconfigures,
            old_habits: (0..members).map(|_| rng.percent(15)).collect(),
            observer_masters: peer.observer_masters,
            peer,
            seed: rng.next_u64(),
        }
    }

    pub(crate) fn counter_max(&self) -> u32 {
        self.peer.counter_max
    }

    pub(crate) fn sync_limit_us(&self) -> u64 {
        self.peer.sync_limit_ms() * 1000
    }

    pub(crate) fn seed_of(&self, server: ServerId) -> u64 {
        self.seed.wrapping_add(server.0 as u64)
    }

    pub(crate) fn member_options(&self) -> MemberOptions {
        MemberOptions {
            peer: self.peer.clone(),
            prep: PrepOptions {
                reconfig_enabled: true,
                auth: auth_config(),
                ..PrepOptions::default()
            },
            ..MemberOptions::default()
        }
    }

    pub(crate) fn journal_settings(&self, me: ServerId) -> journal::Settings {
        journal::Settings {
            me,
            layout: layout(),
            recovery: storage::Options {
                log: LogOptions {
                    preallocation: self.preallocation,
                    ..LogOptions::default()
                },
                ..storage::Options::default()
            },
            state: state_options(),
            roll: self.roll,
            snapshot: journal::SnapshotSettings {
                file: SnapshotOptions {
                    compression: self.compression,
                    sync_every_bytes: 2000,
                },
                ..journal::SnapshotSettings::default()
            },
            commit_log_count: self.peer.commit_log_count,
            log_mark_spacing: 500,
            size_factor: SizeFactor::from_setting(self.size_factor),
            config: journal::ConfigSettings {
                file: PathBuf::from("/conf/zoo.cfg"),
                initial: self.initial.clone(),
                reconfig_enabled: true,
            },
        }
    }
}

/// Where every member's data is.
pub(crate) fn layout() -> Layout {
    Layout::new(Path::new("/data"), Path::new("/datalog"))
}

/// Sometimes the last servers observe, and sometimes a large ensemble has groups.
fn initial(rng: &mut Rng, members: usize, reconfigures: bool) -> Config {
    let observers = match members {
        0..4 => 0,
        4 => rng.below(2) as usize,
        _ => [0, 0, 1, 2][rng.below(4) as usize],
    };
    let role = |id| match id <= members - observers {
        true => Role::Participant,
        false => Role::Observer,
    };
    let all: Vec<_> = (1..=members).map(|id| (id, role(id))).collect();
    let mut text = lines(&all);
    if members >= 5 && !reconfigures && rng.percent(30) {
        text.push_str("\ngroup.1=1:2\ngroup.2=3:4\ngroup.3=");
        text.push_str(
            &(5..=members)
                .map(|id| id.to_string())
                .collect::<Vec<_>>()
                .join(":"),
        );
        for id in 1..=members {
            let weight = [1, 1, 1, 2, 0][rng.below(5) as usize].max(i32::from(id % 2 == 1));
            text.push_str(&format!("\nweight.{id}={weight}"));
        }
    }
    text.push_str("\nversion=0");
    parse_config(text.as_bytes()).expect("a configuration")
}

/// The `server.N` lines of a configuration.
pub(crate) fn lines(members: &[(usize, Role)]) -> String {
    let line = |(id, role): &(usize, Role)| {
        let role = role.name();
        format!("server.{id}=s{id}:2888:3888:{role};0.0.0.0:2181")
    };
    let lines: Vec<_> = members.iter().map(line).collect();
    lines.join("\n")
}
