//! The bodies over their corpora and over random changes of them, on stable.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use storage::sim_disk::Rng;
use zabkeeper_fuzz::{Body, body, replay, seeds};

/// Changed copies of each seed that a body is run over.
const MUTATIONS: usize = 2000;
/// Bounds that keep the corpora small.
const FILES_MAX: usize = 30;
const FILE_BYTES_MAX: usize = 4096;

fn run(target: &str) {
    let body: Body = body(target);
    let corpus = replay::corpus(target).expect("the corpus can be read");
    assert!(!corpus.is_empty(), "no seeds");
    assert!(corpus.len() < FILES_MAX, "{} seeds", corpus.len());
    let mut rng = Rng::new(7);
    for (path, seed) in &corpus {
        println!("{}", path.display());
        assert!(seed.len() <= FILE_BYTES_MAX, "{} bytes", seed.len());
        body(seed);
        for mutation in 0..MUTATIONS {
            let other = &corpus[rng.below(corpus.len() as u64) as usize].1;
            let input = replay::mutate(seed, other, &mut rng);
            let outcome = std::panic::catch_unwind(|| body(&input));
            assert!(outcome.is_ok(), "mutation {mutation}: {}", hex(&input));
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

macro_rules! replays {
    ($($target:ident),* $(,)?) => {
        $( #[test] fn $target() { run(stringify!($target)); } )*

        #[test]
        fn every_target_is_replayed() {
            let replayed = [$(stringify!($target)),*];
            let targets: Vec<_> = zabkeeper_fuzz::TARGETS.iter().map(|(name, _)| *name).collect();
            assert_eq!(replayed.as_slice(), targets);
        }
    };
}

replays!(
    apply,
    client_frame,
    connect,
    gate,
    initial_message,
    log_file,
    multi,
    notification,
    quorum_config,
    quorum_packet,
    snap_stream,
    snapshot,
    text,
    txn_entry,
    zoo_cfg,
);

#[test]
fn seeds_are_what_the_generator_makes() {
    for (target, made) in seeds::all() {
        let kept = replay::corpus(target).expect("the corpus can be read");
        let kept: BTreeMap<_, _> = kept
            .into_iter()
            .map(|(path, bytes)| (path.file_stem().map(OsStr::to_owned), bytes))
            .collect();
        let made: BTreeMap<_, _> = made
            .into_iter()
            .map(|(name, bytes)| (Some(OsString::from(name)), bytes))
            .collect();
        assert!(kept.keys().eq(made.keys()), "{target}: {HINT}");
        for (name, bytes) in made {
            assert!(kept[&name] == bytes, "{target} {name:?}: {HINT}");
        }
    }
}

const HINT: &str = "run `cargo run --example seeds`";
