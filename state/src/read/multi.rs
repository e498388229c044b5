use jute::data::perms;
use jute::proto::{ErrorResponse, MultiHeader, MultiReadOp, MultiReadRequest};
use jute::wire::Encode;
use jute::{ErrorCode, OpCode};

use super::{ReadContext, given};
use crate::state::State;

/// An answer may be so many times as long as what one request may carry. A client with the
/// same `jute.maxbuffer` refuses far shorter ones; without a bound one frame that names a
/// large node again and again would ask for gigabytes.
const ANSWER_LEN_FACTOR: usize = 4;

impl State {
    /// Answers each read for itself: one that fails does not touch the others. None sets a
    /// watch.
    ///
    /// # Errors
    /// `MarshallingError` for the whole when it cannot be read, or its answer is too long.
    pub(super) fn multi_read(
        &self,
        context: &ReadContext<'_>,
        body: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), ErrorCode> {
        let request: MultiReadRequest<'_> = self.decode(body)?;
        let end_max = out.len() + ANSWER_LEN_FACTOR * self.options().limits.max_len;
        for op in &request.ops {
            let (op, path) = match op {
                MultiReadOp::GetData(request) => (OpCode::GetData, request.path.as_deref()),
                MultiReadOp::GetChildren(request) => (OpCode::GetChildren, request.path.as_deref()),
            };
            match self.permitted(context, given(path)?, perms::READ) {
                Ok(id) if op == OpCode::GetData => {
                    MultiHeader::result(op).encode(out);
                    self.encode_data(id, out);
                }
                Ok(id) => {
                    MultiHeader::result(op).encode(out);
                    self.encode_children(id, out);
                }
                Err(error) => encode_error(error.as_i32(), out),
            }
            if out.len() > end_max {
                return Err(ErrorCode::MarshallingError);
            }
        }
        MultiHeader::END.encode(out);
        Ok(())
    }
}

fn encode_error(err: i32, out: &mut Vec<u8>) {
    MultiHeader {
        kind: OpCode::Error.as_i32(),
        done: false,
        err,
    }
    .encode(out);
    ErrorResponse { err }.encode(out);
}
