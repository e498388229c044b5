//! What a session or a connection has of its own.

use jute::ErrorCode;
use jute::proto::{GetEphemeralsRequest, SyncRequest, WhoAmIResponse};
use jute::wire::Encode;

use super::ReadContext;
use crate::acl;
use crate::state::State;

impl State {
    /// The caller's own, with no check of permissions. The prefix is a text, not a path.
    pub(super) fn get_ephemerals(
        &self,
        context: &ReadContext<'_>,
        body: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), ErrorCode> {
        let request: GetEphemeralsRequest<'_> = self.decode(body)?;
        let prefix = request.prefix_path.as_deref().unwrap_or_default();
        let all = prefix.chars().all(char::is_whitespace) || is_slash(prefix);
        let owned = self.ephemerals_of(context.session);
        let mut paths: Vec<String> = owned.map(|id| self.tree.path(id)).collect();
        paths.retain(|path| all || path.starts_with(prefix));
        // In no order for clients, but the same wherever this state was reached.
        paths.sort_unstable();
        let paths: Vec<Option<&[u8]>> = paths.iter().map(|path| Some(path.as_bytes())).collect();
        paths.as_slice().encode(out);
        Ok(())
    }

    /// The answer to a sync. Its place in the history is all there is to it.
    ///
    /// # Errors
    /// MARSHALLINGERROR if the request cannot be decoded.
    pub fn sync(&self, body: &[u8], out: &mut Vec<u8>) -> Result<(), ErrorCode> {
        let request: SyncRequest<'_> = self.decode(body)?;
        request.path.encode(out);
        Ok(())
    }
}

/// Java's `trim` takes everything up to the space for white space.
fn is_slash(prefix: &str) -> bool {
    prefix.trim_matches(|character| character <= ' ') == "/"
}

/// The connection's identities, without secrets.
pub(super) fn who_am_i(context: &ReadContext<'_>, out: &mut Vec<u8>) {
    let client_info = Some(acl::who_am_i(context.identities, context.auth));
    WhoAmIResponse { client_info }.encode(out);
}
