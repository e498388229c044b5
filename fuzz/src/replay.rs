//! Bodies without a fuzzer: over files, and over random changes of them.

use std::io;
use std::path::{Path, PathBuf};

use storage::sim_disk::Rng;

use crate::Body;

/// Extension of the files in a corpus that are kept; what the fuzzer adds has none.
pub const SEED_EXTENSION: &str = "seed";

/// Longest input that mutations grow to, bytes: libFuzzer's default.
const INPUT_MAX: usize = 4096;
/// Most changes in one mutation.
const CHANGES_MAX: u64 = 8;

/// Values at which decoders change their mind.
const INTERESTING: [i32; 10] = [
    i32::MIN,
    -2,
    -1,
    0,
    1,
    0x7f,
    0xffff,
    0xf_ffff,
    0x10_0000,
    i32::MAX,
];

/// The seeds of a target, in the order of their names.
///
/// # Errors
/// If the folder cannot be read.
pub fn corpus(target: &str) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let folder = corpus_folder().join(target);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == SEED_EXTENSION) {
            files.push((path.clone(), std::fs::read(path)?));
        }
    }
    files.sort();
    Ok(files)
}

/// Where the corpora are.
pub fn corpus_folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/corpus"))
}

/// Runs `body` over the files named in the arguments of the process.
///
/// # Errors
/// If a file cannot be read.
pub fn arguments(body: Body) -> io::Result<()> {
    for path in std::env::args_os().skip(1) {
        let bytes = std::fs::read(&path)?;
        body(&bytes);
        println!("{}: {} bytes, nothing found", path.display(), bytes.len());
    }
    Ok(())
}

/// Changes a few places of `input` as a fuzzer would: bits, bytes, integers, lengths; parts
/// of `other` are spliced in.
pub fn mutate(input: &[u8], other: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=rng.below(CHANGES_MAX) {
        change(&mut bytes, other, rng);
        bytes.truncate(INPUT_MAX);
    }
    bytes
}

fn change(bytes: &mut Vec<u8>, other: &[u8], rng: &mut Rng) {
    let at = position(bytes.len(), rng);
    let len = position(bytes.len() - at, rng);
    match rng.below(7) {
        0 if at < bytes.len() => bytes[at] ^= 1 << rng.below(8),
        1 if at < bytes.len() => bytes[at] = rng.next_u64() as u8,
        2 => {
            let value = INTERESTING[rng.below(INTERESTING.len() as u64) as usize];
            for (byte, new) in bytes[at..].iter_mut().zip(value.to_be_bytes()) {
                *byte = new;
            }
        }
        3 => bytes.truncate(at),
        4 => drop(bytes.drain(at..at + len)),
        5 => {
            let copy = bytes[at..at + len].to_vec();
            bytes.splice(at..at, copy);
        }
        _ => {
            let from = position(other.len(), rng);
            let len = position(other.len() - from, rng);
            bytes.splice(at..at, other[from..from + len].iter().copied());
        }
    }
}

/// A number from 0 to `len`, both included.
fn position(len: usize, rng: &mut Rng) -> usize {
    rng.below(len as u64 + 1) as usize
}
