//! The four-letter words: what they are called, who may use them, and how their answers look.
//!
//! Everything here is pure. The shell takes a view of the server ([`view`]), and [`answer`] and its
//! siblings print it exactly as ZooKeeper 3.9 does, because monitoring parses the text.

pub mod answer;
mod java_text;
pub mod mntr;
#[cfg(test)]
mod tests;
pub mod view;
mod watches;

pub use java_text::{average, java_date, java_double};

/// `zk_version`, and the first line of `srvr`. Version parsers take what stands before the dash.
pub const VERSION: &str = concat!(
    "3.9.5-zabkeeper-",
    env!("CARGO_PKG_VERSION"),
    ", built on 2026-11-23 00:00 UTC"
);

/// The answer of words that need a serving server, where there is none.
const NOT_SERVING: &str = "This ZooKeeper instance is not currently serving requests\n";

/// What `gtmk` shows until `stmk` changes it.
pub const DEFAULT_TRACE_MASK: i64 = 0b1_0011_0010;

macro_rules! words {
    ($($variant:ident $text:literal $serving:literal $meaning:literal;)*) => {
        /// A four-letter word.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Word {
            $(#[doc = $meaning] $variant,)*
        }

        impl Word {
            /// All words, as the log lists them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word as it is typed.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }

            /// Whether the word needs a server that serves; see [`not_serving`].
            #[must_use]
            pub const fn needs_serving(self) -> bool {
                match self {
                    $(Self::$variant => $serving,)*
                }
            }
        }
    };
}

words! {
    Conf "conf" true "The configuration.";
    Cons "cons" true "Connections, in full.";
    Crst "crst" true "Resets the statistics of connections.";
    Dirs "dirs" true "Sizes of the data directories.";
    Dump "dump" true "Sessions, ephemerals and connections by expiry.";
    Envi "envi" false "The environment of the process.";
    Gtmk "gtmk" false "The trace mask.";
    Hash "hash" true "The stored digests of the tree.";
    Isro "isro" false "Read-write, read-only, or neither.";
    Mntr "mntr" true "Metrics.";
    Ruok "ruok" false "Whether the process runs.";
    Srst "srst" true "Resets the statistics of the server.";
    Srvr "srvr" true "The server in short.";
    Stat "stat" true "The server in short, with its connections.";
    Stmk "stmk" false "Sets the trace mask, which follows in 8 bytes.";
    Wchc "wchc" true "Watches by session.";
    Wchp "wchp" true "Watches by path.";
    Wchs "wchs" true "Watches in numbers.";
}

impl Word {
    /// The word that four bytes spell, lower case only.
    #[must_use]
    pub fn parse(bytes: [u8; 4]) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|word| word.as_str().as_bytes() == bytes)
    }
}

/// What the first four bytes of a connection are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstBytes {
    /// A word: answer it and close.
    Word(Word),
    /// A telnet client interrupts (`ff f4 ff fd`): close.
    TelnetClose,
    /// The length of a frame.
    Length(i32),
}

impl FirstBytes {
    /// Tells the three apart.
    #[must_use]
    pub fn classify(bytes: [u8; 4]) -> Self {
        const TELNET_CLOSE: [u8; 4] = [0xff, 0xf4, 0xff, 0xfd];
        match Word::parse(bytes) {
            Some(word) => Self::Word(word),
            None if bytes == TELNET_CLOSE => Self::TelnetClose,
            None => Self::Length(i32::from_be_bytes(bytes)),
        }
    }
}

/// The words that may be used: `4lw.commands.whitelist`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whitelist {
    enabled: Vec<Word>,
}

impl Whitelist {
    /// `configured` is a comma list, or `*` for all; names that are no words are passed over.
    /// `srvr` is always enabled, since `zkServer.sh status` needs it, and `isro` in read-only mode.
    #[must_use]
    pub fn new(configured: Option<&str>, read_only_mode: bool) -> Self {
        let mut enabled: Vec<Word> = Vec::new();
        for name in configured.unwrap_or_default().split(',').map(str::trim) {
            if name == "*" {
                enabled = Word::ALL.to_vec();
                break;
            }
            enabled.extend(Word::ALL.iter().filter(|word| word.as_str() == name));
        }
        enabled.push(Word::Srvr);
        if read_only_mode {
            enabled.push(Word::Isro);
        }
        enabled.sort_unstable();
        enabled.dedup();
        Self { enabled }
    }

    /// Whether a word may be used.
    #[must_use]
    pub fn allows(&self, word: Word) -> bool {
        self.enabled.contains(&word)
    }

    /// The enabled words, sorted, for the log.
    #[must_use]
    pub fn enabled(&self) -> &[Word] {
        &self.enabled
    }
}

/// The answer to a word that may not be used.
#[must_use]
pub fn not_whitelisted(word: Word) -> String {
    format!(
        "{} is not executed because it is not in the whitelist.\n",
        word.as_str()
    )
}

/// The answer to a word that needs a server that serves, where there is none. That to `hash` does
/// not end its line, as in Apache.
#[must_use]
pub fn not_serving(word: Word) -> &'static str {
    match word {
        Word::Hash => NOT_SERVING.trim_ascii_end(),
        _ => NOT_SERVING,
    }
}
