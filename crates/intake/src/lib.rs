//! The one door: every message that enters the server passes here.
