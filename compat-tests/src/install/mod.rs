//! Fetches what is missing on this machine, says so, and never fetches twice.
//!
//! Everything lands in one cache folder (`target/compat` unless told otherwise). A part that is
//! complete carries a marker file, so an interrupted download is started again.

mod debian;
mod maven;
mod project;
mod python;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use self::project::Project;
use crate::process::run_ok;

/// Longest time one download or build may take.
const INSTALL_LIMIT: Duration = Duration::from_secs(900);
/// File that marks a part as complete; its text names the version.
const MARKER: &str = "complete";

/// The Java client checks.
const JAVA_CHECKS: Project = Project {
    folder: "java",
    what: "the Java checks with Curator, from Maven Central",
};
/// Kafka, and the program that drives it.
const KAFKA: Project = Project {
    folder: "kafka",
    what: "Apache Kafka 3.9.2 with its dependencies, from Maven Central",
};

/// The heap that the reference numbers are made with.
const HEAP: &str = "-Xmx1g";

/// A version of the reference implementation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Apache {
    /// 3.9.5 from Maven Central: the oracle.
    V395,
    /// 3.8.0 from Debian.
    V380,
}

/// Where each foreign part is, and what fetches it.
#[derive(Debug, Clone)]
pub(crate) struct Installed {
    cache: PathBuf,
}

impl Installed {
    /// Parts below `cache`; nothing is fetched yet.
    pub(crate) fn new(cache: PathBuf) -> Self {
        Self { cache }
    }

    /// Fetches every part.
    ///
    /// # Errors
    /// When a download or build fails.
    pub(crate) fn all(&self) -> Result<()> {
        self.class_path(Apache::V395)?;
        self.class_path(Apache::V380)?;
        self.java_checks()?;
        self.kafka()?;
        self.python()?;
        Ok(())
    }

    /// A `java` command with the class path of `version`, ready for a main class.
    ///
    /// # Errors
    /// When a part cannot be fetched.
    pub(crate) fn java(&self, version: Apache) -> Result<Command> {
        let mut command = Command::new("java");
        // Tests start many short-lived servers: the first compiler tier and the serial collector
        // start fastest.
        command.args([HEAP, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
        command.arg("-cp").arg(self.class_path(version)?);
        Ok(command)
    }

    /// A `java` command for the Java client checks.
    ///
    /// # Errors
    /// When a part cannot be fetched or built.
    pub(crate) fn java_checks(&self) -> Result<Command> {
        self.project("java-checks", &JAVA_CHECKS, "-Xmx512m")
    }

    /// A `java` command for Kafka's broker and for the program that drives it.
    ///
    /// # Errors
    /// When a part cannot be fetched or built.
    pub(crate) fn kafka(&self) -> Result<Command> {
        self.project("kafka-3.9.2", &KAFKA, "-Xmx256m")
    }

    fn project(&self, name: &str, project: &Project, heap: &str) -> Result<Command> {
        let folder = self.part(name, project.version(), |folder| project.build(folder))?;
        let mut command = Command::new("java");
        command.args([heap, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"]);
        command.arg(format!("{0}/classes:{0}/lib/*", folder.display()));
        Ok(command)
    }

    /// The Python interpreter of an environment that has kazoo.
    ///
    /// # Errors
    /// When it cannot be built.
    pub(crate) fn python(&self) -> Result<PathBuf> {
        let folder = self.part("python", python::VERSION.to_owned(), python::build)?;
        Ok(folder.join("venv/bin/python"))
    }

    fn class_path(&self, version: Apache) -> Result<String> {
        let newest = self.part("apache-3.9.5", maven::VERSION.to_owned(), maven::fetch)?;
        Ok(match version {
            Apache::V395 => format!("{}/lib/*", newest.display()),
            Apache::V380 => {
                let old = self.part("apache-3.8.0", debian::VERSION.to_owned(), debian::fetch)?;
                debian::class_path(&old, &newest)?
            }
        })
    }

    /// The folder of a complete part, made by `make` if it is missing or of another version.
    fn part(
        &self,
        name: &str,
        version: String,
        make: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        let folder = self.cache.join(name);
        let marker = folder.join(MARKER);
        if std::fs::read_to_string(&marker).is_ok_and(|text| text == version) {
            return Ok(folder);
        }
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("creating {}", folder.display()))?;
        make(&folder).with_context(|| format!("installing {name}"))?;
        std::fs::write(&marker, version)?;
        Ok(folder)
    }
}

/// Runs one installation step, telling the user what it is.
fn step(what: &str, command: &mut Command) -> Result<()> {
    println!("installing: {what}");
    run_ok(command, INSTALL_LIMIT)?;
    Ok(())
}

/// Fails early, with advice, when a tool is not there.
fn require(tool: &str, advice: &str) -> Result<()> {
    match Command::new(tool).arg("--version").output() {
        Ok(_) => Ok(()),
        Err(error) => bail!("{tool} is needed and cannot be run ({error}); {advice}"),
    }
}

#[cfg(test)]
mod tests {
    use super::Installed;

    #[test]
    fn a_part_is_made_once_per_version() {
        let cache = tempfile::tempdir().expect("dir");
        let installed = Installed::new(cache.path().to_owned());
        let mut made = Vec::new();
        for version in ["1", "1", "2"] {
            let folder = installed.part("thing", version.to_owned(), |folder| {
                made.push(version);
                Ok(std::fs::write(folder.join("content"), version)?)
            });
            let folder = folder.expect("part");
            assert_eq!(
                std::fs::read_to_string(folder.join("content")).expect("read"),
                version
            );
        }
        assert_eq!(made, ["1", "2"]);
    }
}
