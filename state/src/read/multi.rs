use jute::data::perms;
use jute::proto::{ErrorResponse, MultiHeader, MultiReadOp, MultiReadRequest};
use jute::wire::Encode;
use jute::{ErrorCode, OpCode};

use super::{ReadContext, given};
use crate::state::State;

impl State {
    /// Answers each read for itself: one that fails does not touch the others. None sets a
    /// watch.
    pub(super) fn multi_read(
        &self,
        context: &ReadContext<'_>,
        body: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), ErrorCode> {
        let request: MultiReadRequest<'_> = self.decode(body)?;
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
