//! See the body in the library.
#![cfg_attr(fuzzing, no_main)]

zabkeeper_fuzz::target!("initial_message");
