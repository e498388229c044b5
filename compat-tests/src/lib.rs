//! Foreign clients, foreign servers and foreign data against the real binary.
