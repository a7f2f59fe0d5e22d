//! Plays the transcripts.

mod support;

#[test]
fn transcripts() {
    postroom_testkit::play_dir(
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/transcripts"),
        &support::Smtp,
    );
}
