//! See the body in the library.
#![cfg_attr(fuzzing, no_main)]

zabkeeper_fuzz::target!("quorum_packet");
