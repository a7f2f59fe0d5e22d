//! Every file in `transcripts/`, a line at a time, a byte at a time and all at once.

mod dialect;

use dialect::Imap;
use postroom_testkit::play_dir;

#[test]
fn transcripts() {
    play_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/transcripts"), &Imap);
}
