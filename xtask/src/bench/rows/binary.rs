//! The size of the shipped binary.

use std::fs;

use anyhow::Result;

use super::Target::AtMost;
use super::{Kind, Row, Samples};
use crate::bench::Args;
use crate::bench::server::Product;
use crate::workspace::{self, Step};

pub(super) const KIND: Kind = Kind {
    name: "binary",
    rows: &[Row {
        name: "binary-mib",
        title: "release binary, stripped, MiB",
        target: AtMost(15.0),
    }],
    measure,
};

/// Apache has no binary to compare with.
fn measure(_: &Args, product: Product, samples: &mut Samples) -> Result<()> {
    if product == Product::Ours {
        let stripped = workspace::target().join("release/zabkeeper.stripped");
        let paths = [workspace::server_binary(), stripped.clone()];
        Step::new("strip", ["-o"])
            .args([&paths[1], &paths[0]])
            .run()?;
        let bytes = fs::metadata(&stripped)?.len();
        fs::remove_file(&stripped)?;
        samples.add("binary-mib", product, bytes as f64 / 1_048_576.0);
    }
    Ok(())
}
