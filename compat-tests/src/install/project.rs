//! Our small Maven projects: Java programs over somebody else's libraries.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::{require, step};
use crate::process::copy_tree;

/// A folder of this crate with a `pom.xml`.
#[derive(Debug)]
pub(super) struct Project {
    /// Name of the folder.
    pub(super) folder: &'static str,
    /// What its build fetches, for people.
    pub(super) what: &'static str,
}

impl Project {
    /// Libraries are resolved anew when the project file changes, sources are compiled anew when
    /// any of them does.
    pub(super) fn version(&self) -> String {
        let mut text = String::from("1");
        for path in sources(&self.path()).unwrap_or_default() {
            let modified = std::fs::metadata(&path)
                .and_then(|data| data.modified())
                .ok();
            text.push_str(&format!("\n{} {modified:?}", path.display()));
        }
        text
    }

    /// Leaves `classes` and `lib` in `folder`.
    pub(super) fn build(&self, folder: &Path) -> Result<()> {
        require(
            "mvn",
            "on Debian: apt-get install maven default-jdk-headless",
        )?;
        let work = folder.join("project");
        copy_tree(&self.path(), &work)?;
        step(
            self.what,
            Command::new("mvn")
                .current_dir(&work)
                .args(["-q", "-B", "compile", "dependency:copy-dependencies"])
                .args(["-DincludeScope=runtime", "-DoutputDirectory=target/lib"]),
        )?;
        std::fs::rename(work.join("target/classes"), folder.join("classes"))?;
        std::fs::rename(work.join("target/lib"), folder.join("lib"))?;
        Ok(())
    }

    fn path(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(self.folder)
    }
}

fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.extend(sources(&entry.path())?);
        } else {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}
