//! Which kind of preallocation makes a small write and its fdatasync cheapest? A sync that
//! must also write a new size or new extents costs a journal commit on most filesystems.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use rustix::fs::FallocateFlags;

use crate::stats::quantile;

/// Size of a segment before it is extended, bytes: Apache's default `preAllocSize`.
const SEGMENT: u64 = 64 << 20;
/// Bytes per write call while a segment is filled with zeros.
const ZEROS: usize = 1 << 20;
/// The sizes measured, bytes.
const SIZES: [usize; 2] = [512, 64 << 10];

/// How space is reserved before it is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Not at all: every write makes the file longer.
    Append,
    /// One byte at the end, the rest a hole, as Apache does.
    Sparse,
    /// fallocate: extents that are reserved but marked as unwritten.
    Fallocate,
    /// Zeros written and synced beforehand.
    ZeroFilled,
}

impl Way {
    const ALL: [Self; 4] = [
        Self::Append,
        Self::Sparse,
        Self::Fallocate,
        Self::ZeroFilled,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Append => "append, no preallocation",
            Self::Sparse => "sparse, one byte at the end",
            Self::Fallocate => "fallocate",
            Self::ZeroFilled => "zero-filled",
        }
    }

    /// Reserves `start..start + SEGMENT`.
    fn reserve(self, file: &File, start: u64) -> Result<()> {
        match self {
            Self::Append => return Ok(()),
            Self::Sparse => file.write_all_at(&[0], start + SEGMENT - 1)?,
            Self::Fallocate => {
                rustix::fs::fallocate(file, FallocateFlags::empty(), start, SEGMENT)?;
            }
            Self::ZeroFilled => {
                let zeros = vec![0; ZEROS];
                for at in (start..start + SEGMENT).step_by(ZEROS) {
                    file.write_all_at(&zeros, at)?;
                }
            }
        }
        file.sync_all()?;
        Ok(())
    }
}

/// Prints a table of p50 and p99 for every way and size.
pub(crate) fn run(directory: &Path, writes: usize) -> Result<()> {
    println!("| preallocation | write | p50 us | p99 us | max us |");
    println!("|---|---|---|---|---|");
    for size in SIZES {
        for way in Way::ALL {
            let times = measure(directory, way, size, writes)?;
            println!(
                "| {} | {size} B | {:.0} | {:.0} | {:.0} |",
                way.name(),
                quantile(&times, 0.5),
                quantile(&times, 0.99),
                quantile(&times, 1.0),
            );
        }
    }
    Ok(())
}

/// Times of a write at the next position and its fdatasync, microseconds, sorted. The
/// reservation itself is not part of them.
pub(crate) fn measure(directory: &Path, way: Way, size: usize, writes: usize) -> Result<Vec<f64>> {
    let path = directory.join("prealloc.measurement");
    let file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .open(&path)
        .with_context(|| format!("create {}", path.display()))?;
    let times = write_all(&file, way, size, writes);
    fs::remove_file(&path)?;
    times
}

fn write_all(file: &File, way: Way, size: usize, writes: usize) -> Result<Vec<f64>> {
    let data = vec![0x5a; size];
    let mut times = Vec::with_capacity(writes);
    let (mut at, mut reserved) = (0, 0);
    for _ in 0..writes {
        if at + size as u64 > reserved {
            way.reserve(file, reserved)?;
            reserved += SEGMENT;
        }
        let start = Instant::now();
        file.write_all_at(&data, at)?;
        file.sync_data()?;
        times.push(start.elapsed().as_secs_f64() * 1e6);
        at += size as u64;
    }
    times.sort_by(f64::total_cmp);
    Ok(times)
}
