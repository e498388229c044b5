//! Answers a four-letter word: plain text, then the connection closes.

use replica::Connection;
use tokio::net::tcp::OwnedWriteHalf;
use tracing::info;

use super::views::Views;
use super::words::{self, FirstBytes, Whitelist, Word, answer as text, mntr};
use crate::serve::Server;

/// A word as a client sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// A word.
    Word(Word),
    /// `stmk` with the new mask.
    SetTraceMask(i64),
    /// A telnet client's interrupt: nothing is answered.
    Close,
}

impl Request {
    /// The word that a connection's first bytes are, if they are one and it is complete. A mask
    /// that is not allowed is not waited for.
    pub(crate) fn parse(server: &Server, first: &[u8]) -> Option<Self> {
        let (head, rest) = first.split_first_chunk::<4>()?;
        match FirstBytes::classify(*head) {
            FirstBytes::Length(_) => None,
            FirstBytes::TelnetClose => Some(Self::Close),
            FirstBytes::Word(Word::Stmk) if whitelist(server).allows(Word::Stmk) => {
                let mask = rest.first_chunk::<8>()?;
                Some(Self::SetTraceMask(i64::from_be_bytes(*mask)))
            }
            FirstBytes::Word(word) => Some(Self::Word(word)),
        }
    }

    /// Could more bytes make these a word? True for the front of `stmk` and its mask.
    pub(crate) fn may_become(first: &[u8]) -> bool {
        first.len() < 4 || first.starts_with(Word::Stmk.as_str().as_bytes())
    }
}

/// Sends the answer to a word.
pub(crate) async fn answer(
    server: &Server,
    connection: &Connection,
    request: Request,
    socket: &OwnedWriteHalf,
) {
    if request != Request::Close {
        // Seen in its own answer.
        server.replica.word_received(connection, server.clock.now());
    }
    let text = match request {
        Request::Close => return,
        Request::SetTraceMask(mask) => set_trace_mask(server, mask),
        Request::Word(word) => {
            info!(
                "Processing {} command from {}",
                word.as_str(),
                connection.peer()
            );
            run(server, word)
        }
    };
    server.replica.word_answered();
    let mut rest = text.as_bytes();
    while !rest.is_empty() && socket.writable().await.is_ok() {
        match socket.try_write(rest) {
            Ok(len) => rest = &rest[len..],
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

fn whitelist(server: &Server) -> Whitelist {
    let config = &server.config;
    Whitelist::new(
        config.four_letter_words.as_deref(),
        config.features.read_only_mode,
    )
}

fn set_trace_mask(server: &Server, mask: i64) -> String {
    server.metrics.set_trace_mask(mask);
    text::trace_mask(mask)
}

fn run(server: &Server, word: Word) -> String {
    if !whitelist(server).allows(word) {
        return words::not_whitelisted(word);
    }
    let views = Views::of(server);
    let mode = views.mode();
    if mode.is_none() && word.needs_serving() {
        return words::not_serving(word).to_owned();
    }
    match word {
        Word::Conf => text::conf(&views.conf()),
        Word::Cons => text::cons(&views.connections()),
        Word::Crst => {
            for connection in server.replica.connections().all() {
                connection.outbox().reset_activity();
            }
            text::CRST.to_owned()
        }
        Word::Dirs => {
            let (data, log) = views.dir_sizes();
            text::dirs(data, log)
        }
        Word::Dump => text::dump(&views.dump()),
        Word::Envi => text::envi(words::VERSION, &views.environment()),
        Word::Gtmk | Word::Stmk => text::trace_mask(server.metrics.trace_mask()),
        Word::Hash => text::hash(&views.digests()),
        Word::Isro => text::isro(mode).to_owned(),
        Word::Mntr => mntr::mntr(&views.monitor()),
        Word::Ruok => text::RUOK.to_owned(),
        Word::Srst => {
            server.replica.stats().reset();
            text::SRST.to_owned()
        }
        Word::Srvr => text::srvr(&views.server()),
        Word::Stat => text::stat(&views.server(), &views.connections()),
        Word::Wchc => text::wchc(&views.watches()),
        Word::Wchp => text::wchp(&views.watches()),
        Word::Wchs => text::wchs(&views.watches()),
    }
}
