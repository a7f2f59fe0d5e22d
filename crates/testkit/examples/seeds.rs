//! `seeds FROM TO [client]`: turns the transcripts of a folder into fuzz inputs for a server, or for a client.

use postroom_testkit::{Side, peer_bytes};
use std::path::PathBuf;

fn main() {
    let mut args = std::env::args_os().skip(1);
    let mut folder = || PathBuf::from(args.next().expect("two folders"));
    let (from, to) = (folder(), folder());
    let side = match args.next() {
        Some(word) if word == "client" => Side::Client,
        None => Side::Server,
        Some(word) => panic!("no such side: {}", word.display()),
    };
    std::fs::create_dir_all(&to).expect("can be made");
    for entry in std::fs::read_dir(&from).expect("a folder with transcripts") {
        let path = entry.expect("can be read").path();
        let text = std::fs::read_to_string(&path).expect("can be read");
        let name = path.file_stem().expect("has a name");
        let input = [&[0], peer_bytes(&text, side).as_slice()].concat();
        std::fs::write(to.join(name), input).expect("can be written");
    }
}
