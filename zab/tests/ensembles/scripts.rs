//! Scripts: one verb per line, what happens printed below, compared with what is written there.
//!
//! A file in `testdata/` is a sequence of blocks, each of verbs, a line `----`, and their
//! transcript, separated by empty lines. With `ZAB_REWRITE=1` the transcripts are written anew.
//!
//! | Verb | |
//! | --- | --- |
//! | `servers V [O]` | V voters, then O observers; nothing is started |
//! | `option NAME N` | for `servers` below: `commitLogCount`, `counterMax`, `maxConcurrentSnapSyncs`, `maxConcurrentDiffSyncs`, `maxTimeToWaitForEpoch`, `observerMasters` |
//! | `start ID...`, `crash ID [N]`, `wipe ID` | a crash keeps N of the writes under way |
//! | `freeze ID`, `thaw ID`, `cut A B`, `heal`, `break ID` | break: its connection to its leader |
//! | `hold ID`, `write ID [N]`, `release ID` | a disk that finishes no write; N of them; all |
//! | `settle` | everything that happens without the clock |
//! | `run MS` | lets time pass, and everything happen |
//! | `propose ID [N]`, `sync ID N`, `forward-sync ID` | clients |
//! | `revalidate ID N` | asks the leader about session N: odd ones are alive |
//! | `reconfig ID MEMBER...` | as `4` or `4:observer`: all members |
//! | `committed ID EPOCH MEMBER...`, `seen ID EPOCH MEMBER...` | what its configuration files say; their version names an epoch |
//! | `oracle ID yes`, `oracle ID no` | what an ensemble of two is told |
//! | `snapshot ID` | its log is purged behind a snapshot |
//! | `mismatch ID`, `hand-over ID` | its tree is not the leader's; it is to be stopped |
//! | `state` | what each server is, has, and has delivered |

use std::fmt::Write as _;
use std::path::Path;

use bytes::Bytes;
use jute::quorum::config::Role;
use zab::{Epoch, Input, Options, Request, ServerId, SyncId};

use crate::ensemble::{Ensemble, Event, config};

/// Events of one `settle` at the most.
const EVENTS_MAX: usize = 100_000;

struct Script {
    ensemble: Ensemble,
    options: Options,
    held: Vec<ServerId>,
}

impl Script {
    fn new() -> Self {
        let options = Options {
            tick_time_ms: 2000,
            init_limit: 10,
            sync_limit: 5,
            ..Options::default()
        };
        Self {
            ensemble: Ensemble::new(3, 0, &options),
            options,
            held: Vec::new(),
        }
    }

    fn verb(&mut self, line: &str) {
        let mut words = line.split_whitespace();
        let verb = words.next().unwrap_or_default();
        let words: Vec<&str> = words.collect();
        let number = |at: usize, default: i64| {
            let word = words.get(at);
            word.map_or(default, |word| {
                word.parse().unwrap_or_else(|_| panic!("{line}"))
            })
        };
        let count = |at, default| usize::try_from(number(at, default)).expect("a count");
        let first = words.first().and_then(|word| word.parse().ok());
        let id = ServerId(first.unwrap_or_default());
        let ensemble = &mut self.ensemble;
        match verb {
            "servers" => *ensemble = Ensemble::new(number(0, 3), number(1, 0), &self.options),
            "option" => self.option(words[0], count(1, 0)),
            "start" => (0..words.len()).for_each(|at| ensemble.start(ServerId(number(at, 0)))),
            "crash" => ensemble.crash(id, count(1, 0)),
            "wipe" => ensemble.wipe(id),
            "freeze" => ensemble.freeze(id, true),
            "thaw" => ensemble.freeze(id, false),
            "cut" => ensemble.net.cut(id, ServerId(number(1, 0))),
            "heal" => ensemble.net.heal(),
            "break" => ensemble.break_uplink(id),
            "hold" => self.held.push(id),
            "write" => (0..count(1, 1)).for_each(|_| ensemble.complete(id)),
            "release" => self.held.retain(|held| *held != id),
            "settle" => self.settle(),
            "run" => self.run(u64::try_from(number(0, 0)).expect("a time")),
            "propose" => (0..count(1, 1)).for_each(|_| {
                let taken = ensemble.propose(id);
                let told = ensemble.trace.join("\n");
                assert!(taken.is_some(), "{line}: {id} takes no proposal\n{told}");
            }),
            "sync" => ensemble.input(id, Input::Sync(SyncId(count(1, 0) as u64))),
            "forward-sync" => ensemble.input(id, forwarded_sync()),
            "reconfig" => self.reconfig(id, &words[1..]),
            "committed" | "seen" => {
                let version = Epoch(number(1, 0)).zxid();
                let config = config(version.0, &members(&words[2..]));
                ensemble.write_config(id, config, verb == "committed");
            }
            "revalidate" => ensemble.input(
                id,
                Input::Revalidate {
                    session: number(1, 0),
                    timeout_ms: 4000,
                },
            ),
            "oracle" => ensemble.tell_oracle(id, words.get(1) == Some(&"yes")),
            "snapshot" => ensemble.purge(id),
            "mismatch" => ensemble.mismatch(id),
            "hand-over" => ensemble.input(id, Input::HandOver),
            "state" => self.state(),
            _ => panic!("unknown verb: {line}"),
        }
    }

    fn option(&mut self, name: &str, value: usize) {
        match name {
            "commitLogCount" => self.options.commit_log_count = value,
            "maxConcurrentSnapSyncs" => self.options.max_concurrent_snap_syncs = value,
            "maxConcurrentDiffSyncs" => self.options.max_concurrent_diff_syncs = value,
            "observerMasters" => self.options.observer_masters = value > 0,
            "maxTimeToWaitForEpoch" => {
                self.options.max_time_to_wait_for_epoch_ms = Some(value as u64);
            }
            "counterMax" => self.options.counter_max = u32::try_from(value).expect("a counter"),
            _ => panic!("unknown option: {name}"),
        }
    }

    fn settle(&mut self) {
        for _ in 0..EVENTS_MAX {
            let held = |event: &Event| matches!(event, Event::Disk(id) if self.held.contains(id));
            let events = self.ensemble.events();
            let Some(event) = events.into_iter().find(|event| !held(event)) else {
                return;
            };
            self.ensemble.run(event);
        }
        panic!("no end after {EVENTS_MAX} events");
    }

    fn run(&mut self, ms: u64) {
        let end = self.ensemble.now.after_ms(ms);
        self.settle();
        while let Some(next) = self.ensemble.next_deadline().filter(|next| *next <= end) {
            self.ensemble.advance(next);
            self.settle();
        }
        self.ensemble.advance(end);
        self.settle();
    }

    fn reconfig(&mut self, id: ServerId, words: &[&str]) {
        let taken = self.ensemble.propose_entry(id, Some(&members(words)));
        assert!(taken.is_some(), "{id} takes no reconfiguration");
    }

    fn state(&mut self) {
        let lines = self.ensemble.state();
        self.ensemble.trace.extend(lines);
    }
}

fn members(words: &[&str]) -> Vec<(i64, Role)> {
    let member = |word: &&str| {
        let (id, role) = word.split_once(':').unwrap_or((word, "participant"));
        let role = Role::from_name(role).expect("a role");
        (id.parse().expect("an id"), role)
    };
    words.iter().map(member).collect()
}

fn forwarded_sync() -> Input {
    Input::Forward(Request {
        session: 1,
        cxid: 1,
        op: jute::OpCode::Sync.as_i32(),
        body: Bytes::new(),
        identities: None,
    })
}

/// Runs a script; the same text with the transcripts as they are.
fn play(text: &str) -> String {
    let mut script = Script::new();
    let mut played = String::new();
    for block in text.trim_end().split("\n\n") {
        let verbs = block.split("\n----").next().unwrap_or_default();
        let lines = verbs.lines().filter(|line| !line.starts_with('#'));
        lines
            .filter(|line| !line.is_empty())
            .for_each(|line| script.verb(line));
        let trace = std::mem::take(&mut script.ensemble.trace);
        let told: Vec<String> = trace
            .into_iter()
            .filter(|line| !line.contains(" PING "))
            .collect();
        if let Some(violation) = script.ensemble.checker.violations.first() {
            panic!("{violation}\n{}", told.join("\n"));
        }
        write!(played, "{verbs}\n----\n").expect("memory takes it");
        for line in told {
            writeln!(played, "{line}").expect("memory takes it");
        }
        played.push('\n');
    }
    format!("{}\n", played.trim_end())
}

#[test]
fn transcripts() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let rewrite = std::env::var_os("ZAB_REWRITE").is_some();
    let entries = std::fs::read_dir(&folder).expect("testdata");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "script")
    });
    paths.sort();
    assert!(!paths.is_empty(), "no scripts");
    for path in paths {
        println!("{}", path.display());
        let text = std::fs::read_to_string(&path).expect("a script");
        let played = play(&text);
        if rewrite {
            std::fs::write(&path, &played).expect("the transcript can be written");
        } else if played != text {
            let mut lines = text.lines().zip(played.lines());
            let at = lines.position(|(a, b)| a != b).unwrap_or_default();
            let found: Vec<_> = played.lines().skip(at.saturating_sub(3)).take(12).collect();
            panic!(
                "{} differs from line {}:\n{}",
                path.display(),
                at + 1,
                found.join("\n")
            );
        }
    }
}
