//! A network namespace for each member, joined by a bridge: every member has an address of its
//! own and the usual ports, and packets between two of them can be dropped.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::ensemble::config::Address;
use crate::process::run_ok;

/// One call of `ip` takes no longer.
const LIMIT: Duration = Duration::from_secs(20);
/// First two bytes of every address: a part of 10.0.0.0/8 that few networks use.
const NETWORK: [u8; 2] = [10, 231];
/// The bridge's own last byte, where clients come from.
const BRIDGE: u8 = 254;

/// Distinguishes the ensembles of one process.
static COUNT: AtomicU32 = AtomicU32::new(0);

/// The namespaces of one ensemble; they are deleted with it.
#[derive(Debug)]
pub(super) struct Namespaces {
    /// Short, because names of interfaces are limited to 15 bytes.
    name: String,
    /// Third byte of every address.
    subnet: u8,
    ids: Vec<u64>,
    cut: Mutex<Vec<(u64, u64)>>,
}

impl Namespaces {
    pub(super) fn new(ids: &[u64]) -> Result<Self> {
        let number = std::process::id().wrapping_add(COUNT.fetch_add(1, Ordering::Relaxed));
        let made = Self {
            name: format!("zk{:x}", number & 0xff_ffff),
            subnet: free_subnet(number)?,
            ids: ids.to_vec(),
            cut: Mutex::new(Vec::new()),
        };
        made.create()
            .context("network namespaces need root and Linux's ip")?;
        Ok(made)
    }

    fn create(&self) -> Result<()> {
        let bridge = self.bridge();
        ip(&format!("link add {bridge} type bridge"))?;
        ip(&format!(
            "addr add {}/24 dev {bridge}",
            self.ip_of(BRIDGE.into())
        ))?;
        ip(&format!("link set {bridge} up"))?;
        for &id in &self.ids {
            let (space, outer) = (self.space(id), format!("{}v{id}", self.name));
            ip(&format!("netns add {space}"))?;
            ip(&format!(
                "link add {outer} type veth peer name eth0 netns {space}"
            ))?;
            ip(&format!("link set {outer} master {bridge}"))?;
            ip(&format!("link set {outer} up"))?;
            ip(&format!(
                "-n {space} addr add {}/24 dev eth0",
                self.ip_of(id)
            ))?;
            ip(&format!("-n {space} link set lo up"))?;
            ip(&format!("-n {space} link set eth0 up"))?;
        }
        Ok(())
    }

    fn bridge(&self) -> String {
        format!("{}b", self.name)
    }

    fn space(&self, id: u64) -> String {
        format!("{}-{id}", self.name)
    }

    fn ip_of(&self, id: u64) -> Ipv4Addr {
        let last = u8::try_from(id).expect("ids of members are small");
        Ipv4Addr::new(NETWORK[0], NETWORK[1], self.subnet, last)
    }

    pub(super) fn address(&self, id: u64) -> Address {
        Address {
            host: self.ip_of(id).to_string(),
            quorum: 2888,
            election: 3888,
            client: 2181,
        }
    }

    pub(super) fn client_address(&self, id: u64) -> SocketAddr {
        SocketAddr::from((self.ip_of(id), 2181))
    }

    pub(super) fn placed(&self, id: u64, command: &Command) -> Command {
        let mut inside = Command::new("ip");
        inside.args(["netns", "exec", &self.space(id)]);
        inside.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => inside.env(name, value),
                None => inside.env_remove(name),
            };
        }
        inside
    }

    fn cuts(&self) -> std::sync::MutexGuard<'_, Vec<(u64, u64)>> {
        self.cut
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// A route that swallows what `from` sends to `to`.
    pub(super) fn cut(&self, from: u64, to: u64) -> Result<()> {
        let mut cuts = self.cuts();
        if !cuts.contains(&(from, to)) {
            self.route("add", from, to)?;
            cuts.push((from, to));
        }
        Ok(())
    }

    pub(super) fn heal(&self) -> Result<()> {
        let mut cuts = self.cuts();
        while let Some((from, to)) = cuts.pop() {
            self.route("del", from, to)?;
        }
        Ok(())
    }

    fn route(&self, verb: &str, from: u64, to: u64) -> Result<()> {
        ip(&format!(
            "-n {} route {verb} blackhole {}/32",
            self.space(from),
            self.ip_of(to)
        ))
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        // What was never made cannot be deleted; either way nothing of it is left.
        for &id in &self.ids {
            let _ = ip(&format!("netns del {}", self.space(id)));
        }
        let _ = ip(&format!("link del {}", self.bridge()));
    }
}

/// A third byte that no interface of this machine has; other runs may be under way.
fn free_subnet(first: u32) -> Result<u8> {
    let taken = run_ok(Command::new("ip").args(["-4", "-o", "addr"]), LIMIT)?;
    let [a, b] = NETWORK;
    (0..=u8::MAX)
        .map(|step| step.wrapping_add(first.to_le_bytes()[0]))
        .find(|subnet| !taken.contains(&format!(" {a}.{b}.{subnet}.")))
        .context("all subnets are taken")
}

fn ip(arguments: &str) -> Result<()> {
    run_ok(Command::new("ip").args(arguments.split(' ')), LIMIT).map(drop)
}
