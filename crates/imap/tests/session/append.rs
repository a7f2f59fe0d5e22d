//! APPEND in all its forms: several messages at once, put together from parts, in place of another, with NUL.

use crate::client::{Client, World};
use postroom_identity::OrganizationChange;

const DRAFT: &str = "From: scout@example.test\r\nSubject: draft\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
    --b\r\nContent-Type: text/plain\r\n\r\nold text\r\n--b\r\nContent-Type: text/x\r\n\r\nattached\r\n--b--\r\n";

/// A message as a literal that is not waited for.
fn literal(message: &str) -> String {
    format!("{{{}+}}\r\n{message}", message.len())
}

async fn content(client: &mut Client, uid: u32) -> String {
    let told = client.ok(&format!("f UID FETCH {uid} (BODY.PEEK[])")).await;
    let (_, rest) = told
        .split_once("}\r\n")
        .unwrap_or_else(|| panic!("no content in {told}"));
    rest.strip_suffix(")\r\n")
        .unwrap_or_else(|| panic!("no end in {told}"))
        .to_owned()
}

#[tokio::test]
async fn several_messages_at_once() {
    let world = World::new().await;
    let mut client = world.selected().await;
    let line = format!(
        "a APPEND INBOX (\\Seen) \"01-Jan-2026 10:00:00 +0000\" {} (work) {} {}",
        literal("Subject: 1\r\n\r\none\r\n"),
        literal("Subject: 2\r\n\r\ntwo\r\n"),
        literal("Subject: 3\r\n\r\nthree\r\n"),
    );
    let told = client.say(&line).await;
    assert!(told.starts_with("* 3 EXISTS\r\n"), "{told}");
    assert!(told.contains("a OK [APPENDUID ") && told.contains(" 1:3] "), "{told}");
    let told = client.ok("f UID FETCH 1:* (FLAGS RFC822.SIZE)").await;
    assert!(told.contains("FLAGS (\\Seen \\Recent) RFC822.SIZE 19)"), "{told}");
    assert!(told.contains("work"), "{told}");
    assert_eq!(content(&mut client, 2).await, "Subject: 2\r\n\r\ntwo\r\n");
    assert_eq!(content(&mut client, 3).await, "Subject: 3\r\n\r\nthree\r\n");
    world.check().await;
}

#[tokio::test]
async fn all_messages_or_none() {
    let world = World::new().await;
    let mut client = world.selected().await;
    // The second has more keywords than may be.
    let keywords: Vec<String> = (0..=100).map(|number| format!("k{number}")).collect();
    let line = format!(
        "a APPEND INBOX {} ({}) {}",
        literal("Subject: 1\r\n\r\n"),
        keywords.join(" "),
        literal("Subject: 2\r\n\r\n")
    );
    let told = client.say(&line).await;
    assert!(told.starts_with("a NO [LIMIT]"), "{told}");
    let line = format!(
        "a APPEND nowhere {} {}",
        literal("Subject: 1\r\n\r\n"),
        literal("Subject: 2\r\n\r\n")
    );
    let told = client.say(&line).await;
    assert!(told.contains("a NO [TRYCREATE]"), "{told}");
    let told = client.ok("n STATUS INBOX (MESSAGES UIDNEXT)").await;
    assert_eq!(told, "* STATUS INBOX (MESSAGES 0 UIDNEXT 1)\r\n");
    // What was handed over and not appended is forgotten.
    let told = client.append("INBOX", "Subject: 3\r\n\r\n").await;
    assert!(told.contains("a OK [APPENDUID "), "{told}");
    assert_eq!(content(&mut client, 1).await, "Subject: 3\r\n\r\n");
    world.check().await;
}

/// Elsewhere such keywords mean something else: a message that moves here is not lost for them.
#[tokio::test]
async fn keywords_that_are_labels_of_ours_are_left_out() {
    let world = World::new().await;
    let mut client = world.selected().await;
    let one = literal("Subject: 1\r\n\r\n");
    client
        .ok(&format!(
            "a APPEND INBOX (\\Flagged spam work Sent sen=74 UNREAD blocked delivered) {one}"
        ))
        .await;
    client
        .ok(&format!("a APPEND INBOX (\\Seen Draft play) {one} (Trash) {one}"))
        .await;
    client
        .ok(&format!("a REPLACE 3 INBOX (received \\Answered) {one}"))
        .await;
    let told = client.ok("f UID FETCH 1:* (FLAGS)").await;
    let last = told.rmatch_indices("* FLAGS (").next().map(|(at, _)| &told[at..]);
    assert!(
        last.is_some_and(|last| last.starts_with("* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft work play)")),
        "{told}"
    );
    // Now it knows these keywords.
    let told = client.ok("f UID FETCH 1:* (FLAGS)").await;
    let expected = "* 1 FETCH (UID 1 FLAGS (\\Flagged \\Recent work))\r\n\
        * 2 FETCH (UID 2 FLAGS (\\Seen \\Recent play))\r\n\
        * 3 FETCH (UID 4 FLAGS (\\Answered \\Recent))\r\n";
    assert_eq!(told, expected);
    let told = client.say("s STORE 1 +FLAGS (spam)").await;
    assert_eq!(told, "s NO [CANNOT] That cannot be done\r\n");
    world.check().await;
}

#[tokio::test]
async fn a_message_put_together_from_others() {
    let world = World::new().await;
    let mut client = world.selected().await;
    client.append("Drafts", DRAFT).await;
    let validity = {
        let told = client.ok("v STATUS Drafts (UIDVALIDITY)").await;
        crate::fetch::number_after(&told, "UIDVALIDITY ")
    };
    let line = format!(
        "a APPEND Drafts (\\Draft) CATENATE (URL \"/Drafts;UIDVALIDITY={validity}/;UID=1/;SECTION=HEADER\" TEXT {} \
         URL \"/Drafts/;UID=1/;SECTION=2.MIME\" URL \"/Drafts/;UID=1/;SECTION=2;PARTIAL=0.6\" TEXT {})",
        literal("--b\r\n\r\nnew text\r\n--b\r\n"),
        literal("\r\n--b--\r\n"),
    );
    let told = client.say(&line).await;
    assert!(told.contains("a OK [APPENDUID "), "{told}");
    client.ok("s SELECT Drafts").await;
    let made = DRAFT
        .replace("Content-Type: text/plain\r\n\r\nold text", "\r\nnew text")
        .replace("attached", "attach");
    assert_eq!(content(&mut client, 2).await, made);
    let told = client.ok("f UID FETCH 2 (FLAGS BODY)").await;
    assert!(told.contains("\\Draft") && told.contains("\"mixed\""), "{told}");
    // Relative to the selected mailbox.
    let told = client.say("a APPEND INBOX CATENATE (URL \"/;UID=1\")").await;
    assert!(told.contains("a OK [APPENDUID "), "{told}");
    world.check().await;
}

#[tokio::test]
async fn urls_that_name_nothing() {
    let world = World::new().await;
    let mut client = world.selected().await;
    client.append("Drafts", DRAFT).await;
    for url in [
        "/Drafts/;UID=2",
        "/Nowhere/;UID=1",
        "/Drafts;UIDVALIDITY=1/;UID=1",
        "/Drafts/;UID=1/;SECTION=7",
        "imap://other@elsewhere.test/Drafts/;UID=1",
        "rubbish",
    ] {
        let line = format!("a APPEND INBOX CATENATE (URL \"{url}\" TEXT {})", literal("x"));
        let told = client.say(&line).await;
        assert!(told.contains("a NO [BADURL "), "{url}: {told}");
        assert!(told.contains(url), "{url}: {told}");
    }
    let told = client.ok("n STATUS INBOX (MESSAGES)").await;
    assert_eq!(told, "* STATUS INBOX (MESSAGES 0)\r\n");
}

#[tokio::test]
async fn one_message_in_place_of_another() {
    let world = World::new().await;
    let mut client = world.selected().await;
    let mut other = world.selected().await;
    client.append("INBOX", "Subject: old\r\n\r\n").await;
    other.ok("n NOOP").await;
    let told = client
        .say(&format!(
            "r UID REPLACE 1 INBOX (\\Flagged) {}",
            literal("Subject: new\r\n\r\n")
        ))
        .await;
    assert!(told.contains("[APPENDUID ") && told.contains("r OK"), "{told}");
    assert!(told.contains("* 1 EXPUNGE\r\n"), "{told}");
    assert_eq!(content(&mut client, 2).await, "Subject: new\r\n\r\n");
    let told = other.ok("n NOOP").await;
    assert!(told.contains("EXPUNGE\r\n") && told.contains("EXISTS\r\n"), "{told}");
    // What is gone cannot be replaced, and nothing is appended then.
    client.ok("s UID STORE 2 +FLAGS (\\Deleted)").await;
    client.ok("e EXPUNGE").await;
    let told = other
        .say(&format!("r REPLACE 1 INBOX {}", literal("Subject: newer\r\n\r\n")))
        .await;
    assert!(told.contains("r NO "), "{told}");
    let told = other.ok("n STATUS INBOX (MESSAGES)").await;
    assert!(told.contains("* STATUS INBOX (MESSAGES 0)\r\n"), "{told}");
    world.check().await;
}

#[tokio::test]
async fn binary_content_is_made_such_as_all_can_read() {
    let world = World::new().await;
    let mut client = world.selected().await;
    let message = "Content-Type: image/x\r\nContent-Transfer-Encoding: binary\r\n\r\n\0\u{1}\n\r";
    let told = client.say(&format!("a APPEND INBOX ~{}", literal(message))).await;
    assert!(told.contains("a OK [APPENDUID "), "{told}");
    let told = client
        .ok("f FETCH 1 (BINARY.SIZE[1] BINARY.PEEK[1] BODYSTRUCTURE)")
        .await;
    assert!(
        told.contains("BINARY.SIZE[1] 4 BINARY[1] ~{4}\r\n\0\u{1}\n\r"),
        "{told:?}"
    );
    assert!(told.contains("\"base64\""), "{told:?}");
    assert!(!content(&mut client, 1).await.contains('\0'));
    let told = client
        .say(&format!("a APPEND INBOX ~{}", literal("Subject: \0\r\n\r\n")))
        .await;
    assert!(told.contains("a NO [UNKNOWN-CTE]"), "{told}");
    world.check().await;
}

#[tokio::test]
async fn too_much_is_refused_before_it_comes() {
    let world = World::new().await;
    let mut client = world.selected().await;
    let told = client.say("a APPEND INBOX {60000000}").await;
    assert!(told.starts_with("a NO [TOOBIG]"), "{told}");
    // The sum counts: nothing larger than a message is held.
    let told = client
        .say(&format!(
            "a APPEND INBOX {} {{52428800}}",
            literal("Subject: 1\r\n\r\n")
        ))
        .await;
    assert!(told.contains("a NO [TOOBIG]"), "{told}");
    let told = client.ok("n STATUS INBOX (MESSAGES)").await;
    assert_eq!(told, "* STATUS INBOX (MESSAGES 0)\r\n");
}

#[tokio::test]
async fn messages_in_utf_8() {
    let world = World::new().await;
    let mut client = world.log_in().await;
    client.ok("e ENABLE UTF8=ACCEPT").await;
    client.ok("s SELECT INBOX").await;
    let message = "From: scout@example.test\r\nSubject: Gr\u{fc}\u{df}e\r\n\r\nhallo\r\n";
    let told = client
        .say(&format!("a APPEND INBOX UTF8 (~{})", literal(message)))
        .await;
    assert!(told.contains("a OK [APPENDUID "), "{told}");
    assert_eq!(content(&mut client, 1).await, message);
    let told = client.ok("f FETCH 1 (ENVELOPE)").await;
    assert!(told.contains("\"Gr\u{fc}\u{df}e\""), "{told}");
}

/// What an organization holds as much of as it may comes in no more, in whatever form. What is there already may be put
/// elsewhere too: it counts once.
#[tokio::test]
async fn what_is_full_takes_no_message_more() {
    let world = World::new().await;
    let mut client = world.selected().await;
    client.append("INBOX", DRAFT).await;
    let limit = OrganizationChange {
        max_octets: Some(Some(1)),
        ..OrganizationChange::default()
    };
    let changed = world.identity.update_organization(world.inbox.organization, &limit);
    changed.await.expect("it is there");
    let (one, two) = (literal("Subject: 1\r\n\r\n"), literal("Subject: 2\r\n\r\n"));
    for line in [
        format!("a APPEND INBOX {one}"),
        format!("a APPEND INBOX {one} {two}"),
        "a APPEND INBOX CATENATE (URL \"/INBOX/;UID=1\")".to_owned(),
        format!("a UID REPLACE 1 INBOX {one}"),
    ] {
        let told = client.say(&line).await;
        assert!(told.starts_with("a NO [OVERQUOTA] "), "{line}: {told}");
    }
    let before = world.mailstore.usage(world.inbox.id).await.unwrap();
    let told = client.say("a COPY 1 Archive").await;
    assert!(told.starts_with("a OK [COPYUID "), "{told}");
    let after = world.mailstore.usage(world.inbox.id).await.unwrap();
    assert_eq!((before.octets, before.messages), (after.octets, after.messages));
    world.check().await;
}
