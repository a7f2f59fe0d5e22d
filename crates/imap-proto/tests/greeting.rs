//! The very first words, which a transcript cannot come before.

use postroom_imap_proto::{Options, Server};
use postroom_wire::{Action, Input, Machine};
use std::sync::Arc;
use std::time::Instant;

fn said(server: &mut Server) -> String {
    let mut said = String::new();
    while let Some(action) = server.next_action() {
        match action {
            Action::Send(bytes) => said.push_str(std::str::from_utf8(&bytes).unwrap()),
            Action::Close => said.push_str("<close>"),
            other => panic!("{other:?}"),
        }
    }
    said
}

#[test]
fn a_server_going_down_greets_with_bye() {
    let mut server = Server::new(Arc::new(Options::default()), None, Instant::now());
    server.handle(Input::Shutdown, Instant::now());
    let expected = "* BYE [UNAVAILABLE] The server is going down, come back soon\r\n<close>";
    assert_eq!(said(&mut server), expected);
}

#[test]
fn a_client_that_speaks_first_is_greeted_first() {
    let mut server = Server::new(Arc::new(Options::default()), None, Instant::now());
    server.handle(Input::Bytes(b"a NOOP\r\n"), Instant::now());
    let said = said(&mut server);
    assert!(
        said.starts_with("* OK [CAPABILITY ") && said.ends_with("a OK NOOP completed\r\n"),
        "{said}"
    );
}
