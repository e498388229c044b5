//! The tests of our own client, on any server: those of `client/tests`, and what only Apache's
//! servers can do yet (SASL, TLS).

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use reserved_port::ReservedPort;

use crate::report::Report;
use crate::server::{Launcher, Server, Settings, Which};

/// The test files that run on any server.
const FILES: [&str; 3] = ["operations", "resilience", "cancellation"];

/// What DIGEST-MD5 is told of users.
const JAAS: &str = "Server {\n  org.apache.zookeeper.server.auth.DigestLoginModule required\n  \
                    user_bob=\"secret\";\n};\n";

/// Makes an authority, and certificates for a server on 127.0.0.1 and for a client.
const CERTIFICATES: &str = "
set -e
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ca -keyout ca.key -out ca.pem \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=keyCertSign
for who in server client; do
    openssl req -newkey rsa:2048 -nodes -subj /CN=$who -keyout $who.key -out $who.csr
    printf 'subjectAltName=IP:127.0.0.1\\nbasicConstraints=CA:FALSE\\n' > $who.ext
    openssl x509 -req -in $who.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
        -extfile $who.ext -out $who.pem
done
cat server.key server.pem > both.pem
";

/// Runs the client's tests on `which`.
///
/// # Errors
/// When a server cannot be started, or a test not be built.
pub(crate) fn run(launcher: &Launcher, which: Which) -> Result<bool> {
    let mut report = Report::new("client");
    let scratch = tempfile::tempdir()?;
    let server = launcher.start(which, &scratch.path().join("plain"), &Settings::usual())?;
    for file in FILES {
        let mut tests = tests(file);
        tests.env("ZABKEEPER_TEST_SERVER", server.connect_string());
        if which == Which::Apache380 {
            tests.env("ZABKEEPER_TEST_VERSION", "3.8.0");
        }
        absorb(&mut report, file, tests)?;
    }
    server.stop()?;
    if which != Which::Ours {
        sasl(&mut report, launcher, which, scratch.path())?;
        tls(&mut report, launcher, which, scratch.path())?;
    }
    Ok(report.finish())
}

fn sasl(report: &mut Report, launcher: &Launcher, which: Which, scratch: &Path) -> Result<()> {
    let jaas = scratch.join("jaas.conf");
    std::fs::write(&jaas, JAAS)?;
    let provider = "org.apache.zookeeper.server.auth.SASLAuthenticationProvider";
    let settings = Settings::usual()
        .property("java.security.auth.login.config", jaas.display())
        .property("zookeeper.authProvider.1", provider);
    let server = launcher.start(which, &scratch.join("sasl"), &settings)?;
    let mut tests = tests("foreign");
    tests
        .args(["--exact", "sasl_proves_who_the_client_is"])
        .env("ZABKEEPER_TEST_SASL", server.connect_string());
    absorb(report, "foreign", tests)?;
    server.stop()
}

fn tls(report: &mut Report, launcher: &Launcher, which: Which, scratch: &Path) -> Result<()> {
    let made = Command::new("sh")
        .args(["-c", CERTIFICATES])
        .current_dir(scratch)
        .output()
        .context("cannot run openssl")?;
    let complaint = String::from_utf8_lossy(&made.stderr);
    ensure!(made.status.success(), "no certificates: {complaint}");
    let port = ReservedPort::reserve()?;
    let file = |name: &str| scratch.join(name).display().to_string();
    let settings = Settings::usual()
        .cfg("secureClientPort", port.address().port())
        .cfg("secureClientPortAddress", "127.0.0.1")
        .cfg("ssl.keyStore.location", file("both.pem"))
        .cfg("ssl.keyStore.type", "PEM")
        .cfg("ssl.trustStore.location", file("ca.pem"))
        .cfg("ssl.trustStore.type", "PEM")
        .property(
            "zookeeper.serverCnxnFactory",
            "org.apache.zookeeper.server.NettyServerCnxnFactory",
        );
    let server: Server = launcher.start(which, &scratch.join("tls"), &settings)?;
    let mut tests = tests("foreign");
    tests
        .args(["--exact", "tls_carries_a_session"])
        .env("ZABKEEPER_TEST_TLS", port.address().to_string())
        .env("ZABKEEPER_TEST_TLS_DIR", scratch);
    absorb(report, "foreign", tests)?;
    server.stop()
}

/// One test file; its tests share a server, so they run one after the other.
fn tests(file: &str) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(["test", "--locked", "--package", "client", "--test", file])
        .args(["--features", "foreign-servers"])
        .args(["--", "--test-threads=1"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .stdin(Stdio::null());
    command
}

/// Runs tests, and takes their outcomes over.
fn absorb(report: &mut Report, file: &str, mut tests: Command) -> Result<()> {
    let output = tests.output().context("cannot run cargo")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines = String::new();
    for line in text.lines() {
        let test = line.strip_prefix("test ");
        if let Some((name, outcome)) = test.and_then(|test| test.split_once(" ... ")) {
            lines += &match outcome {
                "ok" => format!("PASS {file}::{name}\n"),
                other => format!("FAIL {file}::{name} {other}\n"),
            };
        }
    }
    report.absorb(file, &lines);
    if !output.status.success() {
        eprintln!("{text}{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}
