//! Client session core: encoding, matching, reconnecting; no IO.
