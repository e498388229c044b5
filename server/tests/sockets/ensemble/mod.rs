//! Members of an ensemble as processes: what must not harm them, and what they must do.

mod directories;
mod handover;
mod learners;
mod observers;
mod oracle;
mod ports;
mod requests;
mod strangers;
mod words;
