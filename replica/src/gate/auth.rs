//! Packets that change whom a connection is known as. They are handled at once: requests
//! received before keep the identities of their time, as in Apache.

use std::sync::atomic::Ordering::Relaxed;

use jute::ErrorCode;
use jute::data::Id;
use jute::proto::{AuthPacket, SetSaslResponse};
use jute::wire::{Decode, Encode, Reader};
use state::acl::{AuthError, authenticate, peer_text, with_identities};

use super::{Gate, Next, Request};
use crate::Ending;

impl<'a> Gate<'a> {
    /// True if authentication is enforced and none of the connection's identities will do.
    pub(super) fn lacks_enforced_auth(&self) -> bool {
        let Some(schemes) = &self.replica.options.enforced_schemes else {
            return false;
        };
        let identities = self.connection.identities();
        !identities.iter().any(|id| {
            let scheme = id.scheme.as_deref().unwrap_or_default();
            schemes.iter().any(|wanted| wanted == scheme)
        })
    }

    pub(super) fn auth(&mut self, request: Request<'a>) -> Option<Next> {
        if !self.writes.is_empty() {
            // They are submitted with the identities they were received under.
            return Some(Next::Again);
        }
        let added = match self.authenticate(request) {
            Ok(added) => added,
            Err(error) => {
                self.replica.stats.auth_failed.fetch_add(1, Relaxed);
                return Some(match error {
                    // Who looks for another ensemble tries the next address; refused, it would give
                    // up.
                    Some(AuthError::WrongEnsemble) => {
                        self.connection.end(Ending::AuthFailed);
                        Next::End
                    }
                    _ => self.refuse(request, 0, ErrorCode::AuthFailed),
                });
            }
        };
        let identities = with_identities(&self.connection.identities(), added);
        self.connection.set_identities(identities);
        self.done(request);
        let _ = self
            .connection
            .outbox()
            .push_reply(request.xid, 0, |_, _| Ok(()));
        self.replica.count_sent(1);
        None
    }

    /// The identities that are added. No error stands for a packet that cannot be read.
    fn authenticate(&self, request: Request<'_>) -> Result<Vec<Id<'static>>, Option<AuthError>> {
        let options = &self.replica.options;
        let mut reader = Reader::new(request.body, options.limits);
        let packet = AuthPacket::decode(&mut reader).map_err(|_| None)?;
        let scheme = packet.scheme.as_deref().ok_or(None)?;
        let peer = peer_text(self.connection.peer().ip(), None);
        authenticate(&options.auth, scheme, packet.auth, &peer).map_err(Some)
    }

    /// Without SASL configured the answer is a null token, which clients take for "go on
    /// without".
    pub(super) fn sasl(&mut self, request: Request<'a>) -> Option<Next> {
        self.done(request);
        let _ = self
            .connection
            .outbox()
            .push_reply(request.xid, 0, |out, _| {
                SetSaslResponse { token: None }.encode(out);
                Ok(())
            });
        self.replica.count_sent(1);
        None
    }
}
