//! What operators ask the server on the client port.

mod request;
mod views;
pub mod words;

pub(crate) use request::{Request, answer};
