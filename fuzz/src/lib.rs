//! Hostile bytes for everything that reads bytes.
//!
//! Each target is a plain function ([`TARGETS`]) that must not panic, whatever it is given,
//! and that asserts what must hold for any input. `cargo +nightly fuzz run TARGET` drives
//! it with libFuzzer; the tests of this crate replay `corpus/TARGET/*.seed` and mutations
//! of them on stable; `cargo run --bin TARGET -- FILE` replays what the fuzzer found.
//!
//! The seeds are made by `cargo run --example seeds` ([`seeds`]).

pub mod apply;
pub mod disk;
pub mod gate;
mod pieces;
pub mod quorum;
pub mod replay;
pub mod seeds;
pub mod stream;
pub mod text;
pub mod wire;

/// The body of a target: panics if something does not hold.
pub type Body = fn(&[u8]);

/// Every target by name.
pub const TARGETS: &[(&str, Body)] = &[
    ("apply", apply::apply),
    ("client_frame", wire::client_frame),
    ("connect", wire::connect),
    ("gate", gate::gate),
    ("initial_message", quorum::initial_message),
    ("log_file", disk::log_file),
    ("multi", wire::multi),
    ("notification", quorum::notification),
    ("quorum_config", quorum::quorum_config),
    ("quorum_packet", quorum::quorum_packet),
    ("snap_stream", stream::snap_stream),
    ("snapshot", disk::snapshot),
    ("text", text::text),
    ("txn_entry", wire::txn_entry),
    ("zoo_cfg", text::zoo_cfg),
];

/// The body of the target `name`.
///
/// # Panics
/// If there is none.
pub fn body(name: &str) -> Body {
    let found = TARGETS.iter().find(|(target, _)| *target == name);
    found.unwrap_or_else(|| panic!("no target {name}")).1
}

/// The main program of a target: libFuzzer's under `cargo fuzz`, else one that replays the
/// files in its arguments.
#[macro_export]
macro_rules! target {
    ($name:literal) => {
        #[cfg(fuzzing)]
        libfuzzer_sys::fuzz_target!(
            init: {
                // Looked up once, not for every input.
                BODY.get_or_init(|| $crate::body($name));
            },
            |input: &[u8]| BODY.get().expect("init ran")(input)
        );

        #[cfg(fuzzing)]
        static BODY: std::sync::OnceLock<$crate::Body> = std::sync::OnceLock::new();

        #[cfg(not(fuzzing))]
        fn main() -> std::io::Result<()> {
            $crate::replay::arguments($crate::body($name))
        }
    };
}
