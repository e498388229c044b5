//! One member: its folder, what runs in it, and signals.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::Signal;

use crate::process::{Kept, tail};
use crate::server::{Launcher, Settings, Which, four_letter_word_within};

use super::config::Texts;
use super::network::Network;

/// A four-letter word must be answered within this time; members may be cut off or stopped.
const WORD_LIMIT: Duration = Duration::from_secs(2);
/// A clean stop may take this long.
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// What a member is to its ensemble, as `srvr` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It leads.
    Leader,
    /// It follows.
    Follower,
    /// It observes.
    Observer,
}

/// One server of an ensemble, running or not. Its folder outlives its processes, and its kind.
#[derive(Debug)]
pub(crate) struct Member {
    /// The N of its `server.N`.
    pub(crate) id: u64,
    /// What runs there now, or runs there next.
    pub(crate) kind: Which,
    /// Where clients reach it.
    pub(crate) address: SocketAddr,
    folder: PathBuf,
    child: Option<Kept>,
    /// Length of the log when the process was started.
    log_from: usize,
    /// It got SIGSTOP and no SIGCONT.
    paused: bool,
}

impl Member {
    /// Writes its files into `folder`; nothing is started.
    pub(super) fn new(
        id: u64,
        kind: Which,
        address: SocketAddr,
        folder: PathBuf,
        texts: &Texts,
    ) -> Result<Self> {
        let member = Self {
            id,
            kind,
            address,
            folder,
            child: None,
            log_from: 0,
            paused: false,
        };
        std::fs::create_dir_all(member.data_dir())?;
        std::fs::write(member.data_dir().join("myid"), format!("{id}\n"))?;
        std::fs::write(member.config_path(), &texts.fixed)?;
        if let Some(dynamic) = &texts.dynamic {
            std::fs::write(dynamic_path(&member.folder), dynamic)?;
        }
        Ok(member)
    }

    /// Its `dataDir`.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn config_path(&self) -> PathBuf {
        self.folder.join("zoo.cfg")
    }

    /// Everything that its processes printed, the latest last.
    pub(crate) fn log(&self) -> String {
        let bytes = std::fs::read(self.folder.join("server.log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Did Apache's process that runs now take over a leader's tree?
    pub(crate) fn received_snapshot(&self) -> bool {
        let log = self.log();
        let own = log.get(self.log_from..).unwrap_or_default();
        self.kind != Which::Ours && own.contains("Getting a snapshot from leader")
    }

    /// Is there a process, paused or not?
    pub(crate) fn started(&self) -> bool {
        self.child.is_some()
    }

    /// Is there a process that can answer?
    pub(crate) fn runs(&self) -> bool {
        self.child.is_some() && !self.paused
    }

    /// Starts it; see `Ensemble::await_serving`.
    ///
    /// # Errors
    /// When it runs already, or the process cannot be started.
    pub(super) fn start(
        &mut self,
        launcher: &Launcher,
        network: &Network,
        settings: &Settings,
    ) -> Result<()> {
        if self.child.is_some() {
            bail!("member {} runs already", self.id);
        }
        self.log_from = self.log().len();
        let log: File = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.join("server.log"))?;
        let mut command = launcher.command(self.kind, settings)?;
        command.arg(self.config_path());
        let mut command = network.placed(self.id, command);
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        self.child = Some(Kept::new(child));
        Ok(())
    }

    fn child(&mut self) -> Result<&mut Kept> {
        let id = self.id;
        self.child
            .as_mut()
            .with_context(|| format!("member {id} does not run"))
    }

    /// SIGKILL.
    ///
    /// # Errors
    /// When it does not run, or cannot be signalled.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.child()?.kill()?;
        self.child = None;
        self.paused = false;
        Ok(())
    }

    /// SIGTERM, and waits for the end. Ours must exit with 0; a JVM exits with 143.
    ///
    /// # Errors
    /// When it does not run, does not stop, or ours stops with another status.
    pub(crate) fn stop(&mut self) -> Result<()> {
        let Some(status) = self.child()?.terminate(STOP_LIMIT)? else {
            bail!("member {} ignored SIGTERM\n{}", self.id, tail(&self.log()));
        };
        self.child = None;
        if self.kind == Which::Ours && !status.success() {
            bail!("a clean stop ended with {status}\n{}", tail(&self.log()));
        }
        Ok(())
    }

    /// SIGSTOP.
    ///
    /// # Errors
    /// When it does not run, or cannot be signalled.
    pub(crate) fn pause(&mut self) -> Result<()> {
        self.child()?.signal(Signal::STOP)?;
        self.paused = true;
        Ok(())
    }

    /// SIGCONT.
    ///
    /// # Errors
    /// When it does not run, or cannot be signalled.
    pub(crate) fn resume(&mut self) -> Result<()> {
        self.child()?.signal(Signal::CONT)?;
        self.paused = false;
        Ok(())
    }

    /// Removes what it wrote, so that it starts as a new disk would; its files of configuration
    /// and `myid` stay.
    ///
    /// # Errors
    /// When it runs, or the file system refuses.
    pub(crate) fn wipe(&mut self) -> Result<()> {
        if self.child.is_some() {
            bail!("member {} runs", self.id);
        }
        Ok(std::fs::remove_dir_all(self.data_dir().join("version-2"))?)
    }

    /// Fails when the process has ended by itself.
    ///
    /// # Errors
    /// Its exit status and the end of its log.
    pub(super) fn check_alive(&mut self) -> Result<()> {
        let Some(child) = &mut self.child else {
            return Ok(());
        };
        if let Some(status) = child.ended()? {
            let (id, kind) = (self.id, self.kind.name());
            bail!(
                "member {id} ({kind}) ended with {status}\n{}",
                tail(&self.log())
            );
        }
        Ok(())
    }

    /// What it is; none while it serves nobody.
    pub(crate) fn mode(&self) -> Option<Mode> {
        if !self.runs() {
            return None;
        }
        let text = four_letter_word_within(self.address, "srvr", WORD_LIMIT).ok()?;
        mode_of(&text)
    }

    /// The last transaction that it shows its clients, as `srvr` says.
    ///
    /// # Errors
    /// When it serves nobody.
    pub(crate) fn zxid(&self) -> Result<u64> {
        let text = four_letter_word_within(self.address, "srvr", WORD_LIMIT)?;
        zxid_of(&text).with_context(|| format!("no zxid in {text:?}"))
    }

    /// Digests of its tree by transaction, as `hash` says.
    ///
    /// # Errors
    /// When the word is not answered, or not as expected.
    pub(crate) fn digests(&self) -> Result<BTreeMap<u64, String>> {
        let text = four_letter_word_within(self.address, "hash", WORD_LIMIT)?;
        digests_of(&text).with_context(|| format!("hash: {text:?}"))
    }

    /// One line of `mntr` as a number; none if it is not printed.
    ///
    /// # Errors
    /// When the word is not answered, or the value is no number.
    pub(crate) fn metric(&self, name: &str) -> Result<Option<f64>> {
        let text = four_letter_word_within(self.address, "mntr", WORD_LIMIT)?;
        metric_of(&text, name)
            .map(|value| value.parse().with_context(|| format!("{name}: {value}")))
            .transpose()
    }
}

/// Where the dynamic part of the configuration stands in a member's folder.
pub(super) fn dynamic_path(folder: &Path) -> PathBuf {
    folder.join("zoo.cfg.dynamic")
}

fn mode_of(srvr: &str) -> Option<Mode> {
    let mode = srvr.lines().find_map(|line| line.strip_prefix("Mode: "))?;
    match mode.trim() {
        "leader" => Some(Mode::Leader),
        "follower" => Some(Mode::Follower),
        "observer" => Some(Mode::Observer),
        _ => None,
    }
}

fn zxid_of(srvr: &str) -> Option<u64> {
    let zxid = srvr
        .lines()
        .find_map(|line| line.strip_prefix("Zxid: 0x"))?;
    u64::from_str_radix(zxid.trim(), 16).ok()
}

fn digests_of(hash: &str) -> Option<BTreeMap<u64, String>> {
    let pair = |line: &str| {
        let (zxid, digest) = line.split_once(": ")?;
        let zxid = zxid.strip_prefix("0x").unwrap_or(zxid);
        let zxid = u64::from_str_radix(zxid, 16).ok()?;
        Some((zxid, digest.trim().to_owned()))
    };
    hash.lines().map(pair).collect()
}

fn metric_of<'a>(mntr: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = mntr.lines().filter_map(|line| line.split_once('\t'));
    pairs.find_map(|(key, value)| (key == name).then_some(value.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read() {
        for (text, expected) in [
            (
                "Zxid: 0x1\nMode: leader\nNode count: 5\n",
                Some(Mode::Leader),
            ),
            ("Mode: follower\n", Some(Mode::Follower)),
            ("Mode: standalone\n", None),
            (
                "This ZooKeeper instance is not currently serving requests\n",
                None,
            ),
        ] {
            assert_eq!(mode_of(text), expected);
        }
        assert_eq!(zxid_of("Mode: x\nZxid: 0x10000000a\n"), Some(0x1_0000_000a));
        let digests = digests_of("100000080: 7\n100000100: 8\n").expect("pairs");
        assert_eq!(digests.get(&0x1_0000_0100).map(String::as_str), Some("8"));
        assert_eq!(digests_of("This is no pair\n"), None);
        let mntr = "zk_a\t1\nzk_digest_mismatches_count\t0\n";
        assert_eq!(metric_of(mntr, "zk_digest_mismatches_count"), Some("0"));
        assert_eq!(metric_of(mntr, "zk_digest"), None);
    }
}
