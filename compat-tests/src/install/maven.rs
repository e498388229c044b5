//! Apache ZooKeeper from Maven Central, with what its server, shell and snapshots need.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::{require, step};

/// Version of the part; raise the suffix when the list below changes.
pub(super) const VERSION: &str = "3.9.5-1";

/// Group, artifact, version. ZooKeeper marks most of its own needs as provided.
const ARTIFACTS: &[(&str, &str, &str)] = &[
    ("org.apache.zookeeper", "zookeeper", "3.9.5"),
    ("org.slf4j", "slf4j-simple", "2.0.13"),
    ("io.dropwizard.metrics", "metrics-core", "4.1.12.1"),
    ("org.xerial.snappy", "snappy-java", "1.1.10.5"),
    ("commons-cli", "commons-cli", "1.5.0"),
    ("jline", "jline", "2.14.6"),
];

/// Copies the jars to `folder/lib`.
pub(super) fn fetch(folder: &Path) -> Result<()> {
    require(
        "mvn",
        "on Debian: apt-get install maven default-jdk-headless",
    )?;
    std::fs::write(folder.join("pom.xml"), pom())?;
    step(
        "Apache ZooKeeper 3.9.5 with its dependencies, from Maven Central",
        Command::new("mvn")
            .current_dir(folder)
            .args(["-q", "-B", "dependency:copy-dependencies"])
            .args(["-DincludeScope=runtime", "-DoutputDirectory=lib"]),
    )
}

fn pom() -> String {
    let dependencies: String = ARTIFACTS
        .iter()
        .map(|(group, artifact, version)| {
            format!(
                "<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>\
                 <version>{version}</version></dependency>\n"
            )
        })
        .collect();
    format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion>\n\
         <groupId>compat</groupId><artifactId>oracle</artifactId><version>1</version>\
         <packaging>pom</packaging>\n<dependencies>\n{dependencies}</dependencies></project>\n"
    )
}
