//! sled's handle, closed so that nothing comes of a panic.
//!
//! What always holds: closing never unwinds, not even while another panic does, which would end the process.

use crate::quiet::catch_quietly;
use std::ops::Deref;

/// An open sled.
#[derive(Debug)]
pub(super) struct Engine(Option<sled::Db>);

impl Engine {
    pub(super) fn new(db: sled::Db) -> Self {
        Self(Some(db))
    }

    /// sled may panic over closing what it panicked over; the message then. It is not used after this.
    pub(super) fn close(&mut self) -> Result<(), String> {
        let db = self.0.take();
        catch_quietly(|| drop(db))
    }
}

impl Deref for Engine {
    type Target = sled::Db;

    fn deref(&self) -> &sled::Db {
        self.0.as_ref().expect("it is taken only by what ends the engine")
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Who wants to know closes it.
        let _ = self.close();
    }
}
