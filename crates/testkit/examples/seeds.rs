//! `seeds FROM TO`: turns the transcripts of a folder into fuzz inputs.

use postroom_testkit::client_bytes;
use std::path::PathBuf;

fn main() {
    let mut folders = std::env::args_os().skip(1).map(PathBuf::from);
    let (from, to) = (folders.next().expect("a folder"), folders.next().expect("two folders"));
    std::fs::create_dir_all(&to).expect("can be made");
    for entry in std::fs::read_dir(&from).expect("a folder with transcripts") {
        let path = entry.expect("can be read").path();
        let text = std::fs::read_to_string(&path).expect("can be read");
        let name = path.file_stem().expect("has a name");
        let input = [&[0], client_bytes(&text).as_slice()].concat();
        std::fs::write(to.join(name), input).expect("can be written");
    }
}
