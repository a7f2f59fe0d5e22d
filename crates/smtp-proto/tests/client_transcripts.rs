//! Plays the transcripts of the client. In them `C:` is what we say and `S:` what another server says.

#[path = "support/client.rs"]
mod client;

#[test]
fn transcripts() {
    postroom_testkit::play_dir(
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/client"),
        &client::SmtpClient,
    );
}
