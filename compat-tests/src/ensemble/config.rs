//! What an operator would write for a member of an ensemble: `zoo.cfg`, a dynamic part, `myid`.

use std::fmt::Write as _;
use std::path::Path;

use crate::server::{Settings, Which};

use super::network::Kind as NetworkKind;

/// One `server.N`.
#[derive(Debug, Clone)]
pub(crate) struct Seat {
    /// The N.
    pub(crate) id: u64,
    /// What runs there first.
    pub(crate) kind: Which,
    /// Neither votes nor acknowledges.
    pub(crate) observer: bool,
    /// Its group in a hierarchical quorum.
    pub(crate) group: Option<u64>,
    /// Written into the configuration from the start; otherwise it joins by reconfig.
    pub(crate) listed: bool,
}

/// An ensemble before it is started.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Its members.
    pub(crate) seats: Vec<Seat>,
    /// What all of them share.
    pub(crate) settings: Settings,
    /// The members stand in a dynamic file, and reconfig is enabled.
    pub(crate) dynamic: bool,
    /// What lies between them.
    pub(crate) network: NetworkKind,
}

impl Plan {
    /// Voters with the ids 1, 2, ... of these kinds, in a static configuration.
    pub(crate) fn voters(kinds: &[Which]) -> Self {
        let seats = (1..).zip(kinds).map(|(id, &kind)| Seat {
            id,
            kind,
            observer: false,
            group: None,
            listed: true,
        });
        let mut settings = Settings::usual();
        if kinds.len() == 1 {
            settings = settings.cfg("standaloneEnabled", false);
        }
        Self {
            seats: seats.collect(),
            settings,
            dynamic: false,
            network: NetworkKind::Direct,
        }
    }

    /// One more member, an observer.
    pub(crate) fn with_observer(mut self, kind: Which) -> Self {
        self.seats.push(Seat {
            id: self.next_id(),
            kind,
            observer: true,
            group: None,
            listed: true,
        });
        self
    }

    /// One more server, with an address but not in the configuration; it joins by reconfig.
    pub(crate) fn with_joiner(mut self, kind: Which) -> Self {
        self.seats.push(Seat {
            id: self.next_id(),
            kind,
            observer: false,
            group: None,
            listed: false,
        });
        self
    }

    fn next_id(&self) -> u64 {
        self.seats.iter().map(|seat| seat.id).max().unwrap_or(0) + 1
    }

    /// Groups of a hierarchical quorum, by place.
    pub(crate) fn grouped(mut self, groups: &[u64]) -> Self {
        for (seat, &group) in self.seats.iter_mut().zip(groups) {
            seat.group = Some(group);
        }
        self
    }

    /// Members in a dynamic file, and reconfig enabled.
    pub(crate) fn dynamic(mut self) -> Self {
        self.dynamic = true;
        self.settings = self
            .settings
            .cfg("reconfigEnabled", true)
            .cfg("standaloneEnabled", false);
        self
    }

    /// Something between the members that can be cut.
    pub(crate) fn over(mut self, network: NetworkKind) -> Self {
        self.network = network;
        self
    }

    /// Adds, or replaces, a line of every `zoo.cfg`.
    pub(crate) fn cfg(mut self, key: &str, value: impl ToString) -> Self {
        self.settings = self.settings.cfg(key, value);
        self
    }

    /// Adds a Java system property to every member.
    pub(crate) fn property(mut self, key: &str, value: impl ToString) -> Self {
        self.settings = self.settings.property(key, value);
        self
    }
}

/// Where one member listens, as some other member is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// Host of all three ports.
    pub(crate) host: String,
    /// Port for learners.
    pub(crate) quorum: u16,
    /// Port for votes.
    pub(crate) election: u16,
    /// Port for clients.
    pub(crate) client: u16,
}

/// The value of a `server.N` line; `with_client` adds the part behind the semicolon.
pub(crate) fn server_value(address: &Address, observer: bool, with_client: bool) -> String {
    let role = if observer { "observer" } else { "participant" };
    let Address {
        host,
        quorum,
        election,
        client,
    } = address;
    let mut text = format!("{host}:{quorum}:{election}:{role}");
    if with_client {
        let _ = write!(text, ";{host}:{client}");
    }
    text
}

/// The texts of a member's files.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Texts {
    /// `zoo.cfg`.
    pub(crate) fixed: String,
    /// `zoo.cfg.dynamic`, if the members stand there.
    pub(crate) dynamic: Option<String>,
}

/// Writes the files of member `id`; `view` holds every seat's address as that member sees it.
pub(crate) fn texts(
    plan: &Plan,
    id: u64,
    data_dir: &Path,
    dynamic_file: &Path,
    view: &[Address],
) -> Texts {
    let mut fixed = format!("dataDir={}\n{}", data_dir.display(), plan.settings.lines());
    let own = plan.seats.iter().position(|seat| seat.id == id);
    let own = own.expect("a member has a seat");
    let mut members = String::new();
    for (seat, address) in plan.seats.iter().zip(view) {
        // A server that is to join starts with the members it knows and itself.
        if seat.listed || seat.id == id {
            let value = server_value(address, seat.observer, plan.dynamic);
            let _ = writeln!(members, "server.{}={value}", seat.id);
        }
    }
    members.push_str(&groups(plan));
    if plan.seats[own].observer {
        fixed.push_str("peerType=observer\n");
    }
    if plan.dynamic {
        let _ = writeln!(fixed, "dynamicConfigFile={}", dynamic_file.display());
        return Texts {
            fixed,
            dynamic: Some(members),
        };
    }
    let _ = writeln!(
        fixed,
        "clientPort={}\nclientPortAddress={}",
        view[own].client, view[own].host
    );
    fixed.push_str(&members);
    Texts {
        fixed,
        dynamic: None,
    }
}

fn groups(plan: &Plan) -> String {
    let mut groups: Vec<u64> = plan.seats.iter().filter_map(|seat| seat.group).collect();
    groups.sort_unstable();
    groups.dedup();
    let mut text = String::new();
    for group in groups {
        let members = plan.seats.iter().filter(|seat| seat.group == Some(group));
        let ids: Vec<String> = members.map(|seat| seat.id.to_string()).collect();
        let _ = writeln!(text, "group.{group}={}", ids.join(":"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(count: u16) -> Vec<Address> {
        let address = |n| Address {
            host: "127.0.0.1".to_owned(),
            quorum: 20 + n,
            election: 30 + n,
            client: 10 + n,
        };
        (1..=count).map(address).collect()
    }

    #[test]
    fn files_are_those_of_an_operator() {
        let kinds = [Which::Apache395; 3];
        let mut plan = Plan::voters(&kinds).with_observer(Which::Apache395);
        plan.settings = Settings::default().cfg("tickTime", 7);
        let text = |plan: &Plan, id| texts(plan, id, Path::new("d"), Path::new("f"), &view(4));
        let members = "server.1=127.0.0.1:21:31:participant\nserver.2=127.0.0.1:22:32:participant\n\
                       server.3=127.0.0.1:23:33:participant\nserver.4=127.0.0.1:24:34:observer\n";
        let written = text(&plan, 4);
        let head = "dataDir=d\ntickTime=7\npeerType=observer\nclientPort=14\nclientPortAddress=127.0.0.1\n";
        assert_eq!(written.fixed, format!("{head}{members}"));
        assert_eq!(written.dynamic, None);
        plan.dynamic = true;
        let written = text(&plan, 1);
        assert_eq!(
            written.fixed,
            "dataDir=d\ntickTime=7\ndynamicConfigFile=f\n"
        );
        let dynamic = written.dynamic.expect("a dynamic part");
        assert!(dynamic.starts_with("server.1=127.0.0.1:21:31:participant;127.0.0.1:11\n"));
    }

    #[test]
    fn groups_and_joiners_are_written_where_they_belong() {
        let kinds = [Which::Apache395; 3];
        let plan = Plan::voters(&kinds).grouped(&[1, 1, 2]);
        assert_eq!(groups(&plan), "group.1=1:2\ngroup.2=3\n");
        let plan = Plan::voters(&kinds).with_joiner(Which::Apache395).dynamic();
        for (id, servers) in [(1, 3), (4, 4)] {
            let written = texts(&plan, id, Path::new("d"), Path::new("f"), &view(4));
            let dynamic = written.dynamic.expect("a dynamic part");
            assert_eq!(dynamic.lines().count(), servers, "server {id}");
        }
    }
}
