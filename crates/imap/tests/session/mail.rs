//! One client and its mail.

use crate::client::World;

const MAIL: &str = "From: A <a@example.net>\r\nTo: scout@example.test\r\nSubject: Hello\r\n there\r\n\
    Date: Wed, 17 Jul 1996 02:23:25 -0700\r\nMessage-ID: <1@example.net>\r\n\
    Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nfirst part\r\n--b\r\n\
    Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n--b--\r\n";

#[tokio::test]
async fn wrong_passwords_are_refused() {
    let world = World::new().await;
    let mut client = world.connect().await;
    for _ in 0..4 {
        let told = client.say("a LOGIN scout@example.test wrong").await;
        assert_eq!(told, "a NO [AUTHENTICATIONFAILED] Wrong user or password\r\n");
    }
    let told = client.say("a LOGIN nobody@example.test wrong").await;
    assert!(told.ends_with("* BYE Too many failed logins\r\n"), "{told}");
    assert!(client.is_closed());
}

#[tokio::test]
async fn what_is_appended_is_read_byte_by_byte() {
    let world = World::new().await;
    let mut client = world.selected().await;
    let told = client
        .append("INBOX (\\Flagged work) \"17-Jul-1996 02:44:25 -0700\"", MAIL)
        .await;
    assert!(
        told.starts_with("* 1 EXISTS\r\n* 1 RECENT\r\na OK [APPENDUID "),
        "{told}"
    );

    let whole = client
        .say("b UID FETCH 1 (FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])")
        .await;
    let octets = MAIL.len();
    let expected = format!(
        "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft work)\r\n* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \
         \\Draft work \\*)] Flags can be changed, keywords made\r\n\
         * 1 FETCH (UID 1 FLAGS (\\Flagged \\Recent work) INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" \
         RFC822.SIZE {octets} BODY[] {{{octets}}}\r\n{MAIL})\r\nb OK FETCH completed\r\n"
    );
    assert_eq!(whole, expected);

    let check = |told: String, expected: &str| assert_eq!(told, format!("{expected}\r\nc OK FETCH completed\r\n"));
    let told = client.say("c FETCH 1 BODY.PEEK[1]").await;
    check(told, "* 1 FETCH (BODY[1] {10}\r\nfirst part)");
    let told = client.say("c FETCH 1 BODY.PEEK[2]<2.3>").await;
    check(told, "* 1 FETCH (BODY[2]<2> {3}\r\nVsb)");
    let told = client.say("c FETCH 1 BODY.PEEK[HEADER.FIELDS (subject X-None)]").await;
    check(
        told,
        "* 1 FETCH (BODY[HEADER.FIELDS (subject X-None)] {26}\r\nSubject: Hello\r\n there\r\n\r\n)",
    );
    let told = client.say("c FETCH 1 BODY.PEEK[3]").await;
    check(told, "* 1 FETCH (BODY[3] NIL)");
    let told = client.say("c FETCH 1 BODY[TEXT]<0.3>").await;
    check(
        told,
        "* 1 FETCH (BODY[TEXT]<0> {3}\r\n--b FLAGS (\\Flagged \\Seen \\Recent work))",
    );
    let told = client.say("c FETCH 1 BODY[TEXT]<0.3>").await;
    check(told, "* 1 FETCH (BODY[TEXT]<0> {3}\r\n--b)");
    let told = client.say("c FETCH 1 (ENVELOPE BODY)").await;
    check(
        told,
        "* 1 FETCH (ENVELOPE (\"Wed, 17 Jul 1996 02:23:25 -0700\" \"Hello there\" \
         ((\"A\" NIL \"a\" \"example.net\")) ((\"A\" NIL \"a\" \"example.net\")) ((\"A\" NIL \"a\" \"example.net\")) \
         ((NIL NIL \"scout\" \"example.test\")) NIL NIL NIL \"<1@example.net>\") \
         BODY ((\"text\" \"plain\" NIL NIL NIL \"7BIT\" 10 0)(\"application\" \"pdf\" NIL NIL NIL \"base64\" 8) \"mixed\"))",
    );
    world.check().await;
}

#[tokio::test]
async fn flags_copies_moves_and_expunges() {
    change_everything(World::new().await).await;
}

#[tokio::test]
async fn the_same_on_a_hostile_store() {
    for seed in 0..10 {
        change_everything(World::hostile(seed).await).await;
    }
}

async fn change_everything(world: World) {
    let mut client = world.selected().await;
    for number in 1..=5 {
        client
            .append("INBOX", &format!("Subject: {number}\r\n\r\n{number}\r\n"))
            .await;
    }
    let told = client.say("b STORE 2:3 +FLAGS (\\Deleted $x)").await;
    assert_eq!(
        told,
        "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $x)\r\n* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \
         \\Draft $x \\*)] Flags can be changed, keywords made\r\n\
         * 2 FETCH (FLAGS (\\Deleted \\Recent $x))\r\n* 3 FETCH (FLAGS (\\Deleted \\Recent $x))\r\nb OK STORE completed\r\n"
    );
    // What a client did itself is no news to it.
    assert_eq!(client.say("b NOOP").await, "b OK NOOP completed\r\n");
    assert_eq!(
        client.say("b STORE 1 FLAGS.SILENT (\\Seen)").await,
        "b OK STORE completed\r\n"
    );
    assert_eq!(client.say("b NOOP").await, "b OK NOOP completed\r\n");
    // Labels that say something else, however they are written.
    for keyword in ["Unread", "delivered", "sen=74"] {
        assert_eq!(
            client.say(&format!("b STORE 1 +FLAGS ({keyword})")).await,
            "b NO [CANNOT] That cannot be done\r\n"
        );
    }

    let told = client.say("b COPY 1:2 Archive").await;
    assert!(
        told.starts_with("b OK [COPYUID ") && told.contains(" 1:2 1:2] "),
        "{told}"
    );
    let told = client.say("b COPY 1 nowhere").await;
    assert!(told.starts_with("b NO [TRYCREATE]"), "{told}");
    let told = client.say("b MOVE 4:5 Trash").await;
    assert!(
        told.starts_with("* OK [COPYUID ") && told.contains(" 4:5 1:2] Moved\r\n* 4 EXPUNGE\r\n* 4 EXPUNGE\r\n"),
        "{told}"
    );
    let told = client.say("b UID EXPUNGE 3:9").await;
    assert_eq!(told, "* 3 EXPUNGE\r\n* 2 RECENT\r\nb OK EXPUNGE completed\r\n");
    assert_eq!(
        client.say("b EXPUNGE").await,
        "* 2 EXPUNGE\r\n* 1 RECENT\r\nb OK EXPUNGE completed\r\n"
    );
    assert_eq!(
        client.say("b STATUS INBOX (MESSAGES UNSEEN UIDNEXT)").await,
        "* STATUS INBOX (MESSAGES 1 UNSEEN 0 UIDNEXT 6)\r\nb OK STATUS completed\r\n"
    );
    assert_eq!(
        client.say("b STATUS Trash (MESSAGES)").await,
        "* STATUS Trash (MESSAGES 2)\r\nb OK STATUS completed\r\n"
    );
    let told = client.say("b SELECT Archive").await;
    assert!(told.contains("* 2 EXISTS\r\n"), "{told}");
    assert_eq!(client.say("b CLOSE").await, "b OK CLOSE completed\r\n");
    assert_eq!(
        client.say("b STATUS Archive (MESSAGES)").await,
        "* STATUS Archive (MESSAGES 1)\r\nb OK STATUS completed\r\n"
    );
    world.check().await;
}

#[tokio::test]
async fn mailboxes_come_and_go() {
    let world = World::new().await;
    let mut client = world.log_in().await;
    let told = client.say("a LIST \"\" *").await;
    for line in [
        "(\\HasNoChildren) \"/\" INBOX",
        "(\\HasNoChildren \\Sent) \"/\" Sent",
        "(\\HasNoChildren \\Junk) \"/\" Spam",
    ] {
        assert!(told.contains(&format!("* LIST {line}\r\n")), "{told}");
    }
    client.ok("a CREATE Work/2026/").await;
    assert_eq!(
        client.say("a SUBSCRIBE Work/2026").await,
        "a OK SUBSCRIBE completed\r\n"
    );
    let told = client.say("a LIST \"\" Work*").await;
    assert_eq!(
        told,
        "* LIST (\\HasChildren) \"/\" Work\r\n* LIST (\\HasNoChildren) \"/\" Work/2026\r\na OK LIST completed\r\n"
    );
    let told = client.say("a DELETE Work").await;
    assert!(told.starts_with("a NO [HASCHILDREN]"), "{told}");
    assert_eq!(client.say("a RENAME Work Play").await, "a OK RENAME completed\r\n");
    let told = client.say("a LIST \"\" Play*").await;
    assert!(told.contains(" Play/2026\r\n"), "{told}");
    let told = client.say("a LSUB \"\" W%").await;
    assert_eq!(told, "* LSUB (\\Noselect) \"/\" Work\r\na OK LSUB completed\r\n");
    assert_eq!(client.say("a DELETE Play/2026").await, "a OK DELETE completed\r\n");
    let told = client.say("a SELECT Play/2026").await;
    assert!(told.starts_with("a NO [NONEXISTENT]"), "{told}");
    world.check().await;
}

#[tokio::test]
async fn recent_is_for_the_first_to_see() {
    let world = World::new().await;
    let mut first = world.log_in().await;
    first.append("INBOX", "Subject: 1\r\n\r\n").await;
    assert!(first.say("s EXAMINE INBOX").await.contains("* 1 RECENT\r\n"));
    assert!(first.say("s SELECT INBOX").await.contains("* 1 RECENT\r\n"));
    let mut second = world.log_in().await;
    assert!(second.say("s SELECT INBOX").await.contains("* 0 RECENT\r\n"));
    first.append("INBOX", "Subject: 2\r\n\r\n").await;
    assert!(second.say("n NOOP").await.contains("* 0 RECENT\r\n"));
    assert_eq!(
        second.say("f FETCH 2 FLAGS").await,
        "* 2 FETCH (FLAGS ())\r\nf OK FETCH completed\r\n"
    );
    assert!(second.say("s SEARCH RECENT").await.starts_with("* SEARCH\r\n"));
    assert_eq!(
        first.say("f FETCH 2 FLAGS").await,
        "* 2 FETCH (FLAGS (\\Recent))\r\nf OK FETCH completed\r\n"
    );
    assert!(second.say("s SELECT INBOX").await.contains("* 0 RECENT\r\n"));
}

#[tokio::test]
async fn a_full_inbox_takes_no_more() {
    let world = World::new().await;
    let mut client = world.log_in().await;
    world.mailstore.set_quota(world.inbox.id, 10).await.unwrap();
    let told = client.append("INBOX", "Subject: over\r\n\r\n").await;
    assert!(told.starts_with("a OK"), "one message over quota is allowed: {told}");
    let told = client.append("INBOX", "Subject: over\r\n\r\n").await;
    assert!(told.starts_with("a NO [OVERQUOTA]"), "{told}");
}
