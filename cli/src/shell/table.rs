//! The commands: their names, usages and options, and what runs them. In one table, so that
//! usage, completion, parsing and running cannot tell different stories.

use std::pin::Pin;

use super::Shell;
use super::commands::{acl, ensemble, follow, nodes, own, quota, search, transfer, tree, watches};
use super::failure::Failure;
use super::options::{self, Choice, Given, Opt, flag, valued};
use super::output::Output;

/// A command that runs.
pub(crate) type Running<'a> = Pin<Box<dyn Future<Output = Result<(), Failure>> + 'a>>;

/// A command.
pub(crate) struct Command {
    /// What is typed.
    pub(crate) name: &'static str,
    /// What follows it.
    pub(crate) usage: &'static str,
    /// Where it comes from.
    pub(crate) origin: Origin,
    /// How its line is read.
    pub(crate) reading: Reading,
    /// Its options.
    pub(crate) options: &'static [Opt],
    /// Whether the options exclude each other.
    pub(crate) choice: Choice,
    /// Are the options described in its usage?
    pub(crate) describes_options: bool,
    /// Fewest and most arguments.
    pub(crate) arguments: (usize, usize),
    /// What is said of a word too many that stood for an option in 3.4.
    pub(crate) old_form: Option<OldForm>,
    /// Runs it.
    pub(crate) run: for<'a> fn(&'a mut Shell, &'a Given) -> Running<'a>,
}

/// Where a command comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Apache's shell has it.
    Apache,
    /// It is ours.
    Ours,
}

/// How a command's line is read, and when it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// It needs no connection, and any words are arguments. Behind it stands the same check
    /// for a connection that other commands make first.
    Own,
    /// Any words are arguments.
    Words,
    /// With options.
    Options,
}

/// An old way to call a command that still works.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OldForm {
    /// What is said of it.
    pub(crate) note: &'static str,
    /// Does the second argument stand for `-w`?
    pub(crate) is_watch: bool,
}

const ANY: usize = usize::MAX;

/// What most commands share.
macro_rules! command {
    ($name:literal, $usage:expr, $arguments:expr, $run:path $(, $field:ident: $value:expr)* $(,)?) => {
        Command {
            name: $name,
            usage: $usage,
            arguments: $arguments,
            run: |shell, given| Box::pin($run(shell, given)),
            $($field: $value,)*
            ..PLAIN
        }
    };
}

const PLAIN: Command = Command {
    name: "",
    usage: "",
    origin: Origin::Apache,
    reading: Reading::Options,
    options: &[],
    choice: Choice::Any,
    describes_options: false,
    arguments: (0, ANY),
    old_form: None,
    run: |_, _| Box::pin(async { Ok(()) }),
};

const WATCH_GET: OldForm = OldForm {
    note: "'get path [watch]' has been deprecated. Please use 'get [-s] [-w] path' instead.",
    is_watch: true,
};
const WATCH_LS: OldForm = OldForm {
    note: "'ls path [watch]' has been deprecated. Please use 'ls [-w] path' instead.",
    is_watch: true,
};
const WATCH_STAT: OldForm = OldForm {
    note: "'stat path [watch]' has been deprecated. Please use 'stat [-w] path' instead.",
    is_watch: true,
};
const VERSION_DELETE: OldForm = OldForm {
    note: "'delete path [version]' has been deprecated. \
           Please use 'delete [-v version] path' instead.",
    is_watch: false,
};

/// All commands, in alphabetical order as Java sorts it: Apache's, then ours.
pub(crate) static COMMANDS: &[Command] = &[
    command!(
        "addWatch",
        "[-m mode] path # optional mode is one of [PERSISTENT, PERSISTENT_RECURSIVE] - default \
         is PERSISTENT_RECURSIVE",
        (1, 1), watches::add_watch,
        options: &[valued("m", "")],
    ),
    command!("addauth", "scheme auth", (1, ANY), acl::addauth),
    command!("close", "", (0, ANY), own::close, reading: Reading::Words),
    command!(
        "config", "[-c] [-w] [-s]", (0, ANY), ensemble::config,
        options: &[
            flag("s", "stats"),
            flag("w", "watch"),
            flag("c", "client connection string"),
        ],
    ),
    command!("connect", "host:port", (0, ANY), own::connect, reading: Reading::Own),
    command!(
        "create", "[-s] [-e] [-c] [-t ttl] path [data] [acl]", (1, ANY), nodes::create,
        options: &[
            flag("e", "ephemeral"),
            flag("s", "sequential"),
            flag("c", "container"),
            valued("t", "ttl"),
        ],
    ),
    command!(
        "delete", "[-v version] path", (1, ANY), nodes::delete,
        options: &[valued("v", "version")],
        old_form: Some(VERSION_DELETE),
    ),
    command!(
        "deleteall", "path [-b batch size]", (1, ANY), tree::deleteall,
        options: &[valued("b", "batch size")],
    ),
    command!(
        "delquota", "[-n|-b|-N|-B] path", (1, ANY), quota::delquota,
        options: &[
            flag("n", "num soft quota"),
            flag("b", "bytes soft quota"),
            flag("N", "num hard quota"),
            flag("B", "bytes hard quota"),
        ],
        choice: Choice::AtMostOne,
    ),
    command!(
        "get", "[-s] [-w] [-b] [-x] path", (1, ANY), nodes::get,
        options: &[
            flag("s", "Print znode stats additionally"),
            flag("w", "Watch for changes on the znode"),
            flag("b", "Output data in base64 format"),
            flag("x", "Output data in hexdump format"),
        ],
        describes_options: true,
        old_form: Some(WATCH_GET),
    ),
    command!(
        "getAcl", "[-s] path", (1, ANY), acl::get_acl,
        options: &[flag("s", "stats")],
    ),
    command!(
        "getAllChildrenNumber",
        "path",
        (1, ANY),
        tree::all_children_number
    ),
    command!("getEphemerals", "path", (0, ANY), nodes::ephemerals),
    command!("history", "", (0, ANY), own::history, reading: Reading::Own),
    command!("listquota", "path", (1, ANY), quota::listquota),
    command!(
        "ls", "[-s] [-w] [-R] path", (0, ANY), tree::ls,
        options: &[
            flag("?", "help"),
            flag("s", "stat"),
            flag("w", "watch"),
            flag("R", "recurse"),
        ],
        old_form: Some(WATCH_LS),
    ),
    command!("printwatches", "on|off", (0, ANY), own::printwatches, reading: Reading::Own),
    command!("quit", "", (0, ANY), own::quit, reading: Reading::Own),
    command!(
        "reconfig",
        "[-s] [-v version] [[-file path] | [-members serverID=host:port1:port2;port3[,...]*]] | \
         [-add serverId=host:port1:port2;port3[,...]]* [-remove serverId[,...]*]",
        (0, ANY), ensemble::reconfig,
        options: &[
            flag("s", "stats"),
            valued("v", "required current config version"),
            valued("file", "path of config file to parse for membership"),
            valued(
                "members",
                "comma-separated list of config strings for non-incremental reconfig",
            ),
            valued("add", "comma-separated list of config strings for new servers"),
            valued("remove", "comma-separated list of server IDs to remove"),
        ],
    ),
    command!("redo", "cmdno", (0, ANY), own::redo, reading: Reading::Own),
    command!(
        "removewatches", "path [-c|-d|-a] [-l]", (1, ANY), watches::remove_watches,
        options: &[
            flag("c", "child watcher type"),
            flag("d", "data watcher type"),
            flag("p", "persistent watcher type"),
            flag("r", "persistent recursive watcher type"),
            flag("a", "any watcher type"),
            flag("l", "remove locally when there is no server connection"),
        ],
    ),
    command!(
        "set", "path data [-s] [-v version] [-b]", (2, ANY), nodes::set,
        options: &[
            flag("s", "Print znode stats additionally"),
            valued("v", "Set with an expected version"),
            flag("b", "Supply data in base64 format"),
        ],
        describes_options: true,
    ),
    command!(
        "setAcl", "[-s] [-v version] [-R] path acl", (2, ANY), acl::set_acl,
        options: &[flag("s", "stats"), valued("v", "version"), flag("R", "recursive")],
    ),
    command!(
        "setquota", "-n|-b|-N|-B val path", (1, ANY), quota::setquota,
        options: &[
            valued("n", "num soft quota"),
            valued("b", "bytes soft quota"),
            valued("N", "num hard quota"),
            valued("B", "bytes hard quota"),
        ],
        choice: Choice::One,
    ),
    command!(
        "stat", "[-w] path", (1, ANY), nodes::stat,
        options: &[flag("w", "watch")],
        old_form: Some(WATCH_STAT),
    ),
    command!("sync", "path", (1, ANY), ensemble::sync),
    command!("version", "", (0, 0), own::version),
    command!("whoami", "", (0, ANY), acl::whoami, reading: Reading::Words),
    // Ours.
    command!("exit", "", (0, ANY), own::quit, origin: Origin::Ours, reading: Reading::Own),
    command!(
        "export", "[-e] path file", (2, 2), transfer::export,
        origin: Origin::Ours,
        options: &[flag("e", "Ephemerals too, as persistent nodes")],
        describes_options: true,
    ),
    command!(
        "find", "[path] [-name glob] [-data text] [-type kind] [-owner session] [-size n] [-depth n] [-l]",
        (0, 1), search::find,
        origin: Origin::Ours,
        options: search::OPTIONS,
        describes_options: true,
    ),
    command!("help", "[command]", (0, 1), own::help, origin: Origin::Ours, reading: Reading::Own),
    command!(
        "import", "[-f|-k] file [path]", (1, 2), transfer::import,
        origin: Origin::Ours,
        options: &[
            flag("f", "Set the data and ACLs of nodes that exist"),
            flag("k", "Keep nodes that exist as they are"),
        ],
        choice: Choice::AtMostOne,
        describes_options: true,
    ),
    command!("json", "on|off", (0, ANY), own::json, origin: Origin::Ours, reading: Reading::Own),
    command!(
        "top", "[-i seconds] [-n rounds]", (0, 0), follow::top,
        origin: Origin::Ours,
        options: &[
            valued("i", "Seconds between two looks, 2 unless told"),
            valued("n", "Number of looks, until interrupted unless told"),
        ],
        describes_options: true,
    ),
    command!(
        "tree", "[-d depth] [-s] [path]", (0, 1), search::tree,
        origin: Origin::Ours,
        options: &[
            valued("d", "Levels below the path, all unless told"),
            flag("s", "Size, version and kind of each node"),
        ],
        describes_options: true,
    ),
    command!(
        "watch", "[-d] [-n events] path", (1, 1), follow::watch,
        origin: Origin::Ours,
        options: &[
            flag("d", "Print the data of changed nodes"),
            valued("n", "Number of events, until interrupted unless told"),
        ],
        describes_options: true,
    ),
];

/// The command with this name.
pub(crate) fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}

impl Command {
    /// What is printed of a command with wrong arguments.
    pub(crate) fn usage_text(&self) -> String {
        let mut text = format!("{} {}", self.name, self.usage);
        if self.describes_options {
            text.push('\n');
            text.push_str(&options::describe(self.options));
        }
        text
    }

    /// Reads the words of a line, the command's name first.
    ///
    /// # Errors
    /// When they are not what the command takes.
    pub(crate) fn read(&self, words: &[String], out: &Output) -> Result<Given, Failure> {
        if self.reading != Reading::Options {
            return Ok(Given::plain(words));
        }
        let mut given = options::parse(self.options, self.choice, words)?;
        let (least, most) = self.arguments;
        if !(least..=most).contains(&given.arguments()) {
            return Err(self.misused());
        }
        if let Some(old) = self.old_form.filter(|_| given.arguments() > 1) {
            out.note(old.note);
            if old.is_watch {
                // The third word, whatever it is.
                let mut words = words.to_vec();
                words[2] = "-w".to_owned();
                given = options::parse(self.options, self.choice, &words)?;
            }
        }
        Ok(given)
    }

    /// The failure for wrong arguments.
    pub(crate) fn misused(&self) -> Failure {
        Failure::new(self.usage_text())
    }
}

/// What is printed of an unknown command: how the shell is started, and all commands.
pub(crate) fn usage() -> String {
    let mut text =
        "ZooKeeper -server host:port -client-configuration properties-file cmd args".to_owned();
    let lines = |origin: Origin| {
        let commands = COMMANDS
            .iter()
            .filter(move |command| command.origin == origin);
        commands.map(|command| format!("\n\t{} {}", command.name, command.usage))
    };
    text.extend(lines(Origin::Apache));
    text.push_str("\nBeyond Apache's:");
    text.extend(lines(Origin::Ours));
    text
}
