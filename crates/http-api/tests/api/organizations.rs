//! The life of organizations over HTTP, and everything of one read back from its archive.

use crate::agentmail_mail::Agents;
use crate::endpoint::Endpoint;
use crate::hearing::hello;
use crate::mail::{Mail, put};
use crate::setup::Api;
use axum::http::StatusCode;
use postroom_archive::{MboxEntry, MboxReader};
use postroom_mailstore::{FlagMode, MailboxRef, Origin};
use postroom_types::{EmailAddress, Flag, Flags, InboxId, Keyword, MessageFlags, SpecialUse};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Cursor, Read};

const PATH: &str = "/postroom/v1/organizations";

#[tokio::test]
async fn suspended_resumed_limited_deleted_restored() {
    let api = Api::new().await;
    let tenant = api.tenant("Acme").await;
    let path = format!("{PATH}/{}", tenant.id);
    let scout = api.inbox(&tenant.key, "scout").await;
    let send = async || {
        let body = json!({ "to": "a@example.net", "subject": "x", "plainBody": "x" });
        let path = format!("/v1/inboxes/{}/send", scout.text("id"));
        api.post(&path, &scout.text("apiKey"), body).await
    };
    send().await.expect(StatusCode::OK);

    let suspended = api.post(&format!("{path}/suspend"), &api.operator, json!({})).await;
    assert_eq!(suspended.text("status"), "suspended");
    assert_eq!(
        suspended.body["suspendedAt"],
        api.get(&path, &api.operator).await.body["suspendedAt"]
    );
    send().await.refused(403, "ORGANIZATION_SUSPENDED");
    let mail = format!("/v1/inboxes/{}/messages", scout.text("id"));
    api.get(&mail, &tenant.key).await.expect(StatusCode::OK);
    let tenants = format!("/v1/tenants/{}", tenant.id);
    assert_eq!(api.get(&tenants, &api.operator).await.body["suspended"], json!(true));
    let resumed = api.patch(&tenants, &api.operator, json!({ "suspended": false })).await;
    assert_eq!(resumed.body["suspended"], json!(false));
    send().await.expect(StatusCode::OK);

    let limits = json!({ "maxInboxes": 1, "maxOctets": 1, "dailyMessages": 3 });
    let limited = api.patch(&path, &api.operator, limits).await;
    assert_eq!(
        (&limited.body["maxOctets"], limited.text("status")),
        (&json!(1), "active".into())
    );
    let shown = api.get(&path, &api.operator).await;
    assert_eq!(
        (&shown.body["inboxCount"], &shown.body["messages"]),
        (&json!(1), &json!(2))
    );
    assert!(shown.body["octets"].as_u64().unwrap() > 1);
    send().await.refused(403, "PLAN_LIMIT_REACHED");
    let drafts = format!("/v1/inboxes/{}/drafts", scout.text("id"));
    let draft = api.post(&drafts, &tenant.key, json!({ "subject": "x" })).await;
    draft.refused(403, "PLAN_LIMIT_REACHED");
    let letter = json!({ "recipients": { "to": ["a@far.test"] }, "subject": "x" });
    for rest in ["messages", "drafts"] {
        let path = format!("/api/v1/mail/mailboxes/scout@example.test/{rest}");
        let full = api.post(&path, &tenant.key, letter.clone()).await;
        let detail = &full.body["detail"];
        assert_eq!((full.status, &detail["error"]), (402, &json!("storage_limit_exceeded")));
        assert_eq!(
            (&detail["limit_bytes"], &detail["upgrade_url"]),
            (&json!(1), &json!(""))
        );
        assert!(detail["message"].as_str().unwrap().contains("organization"), "{detail}");
    }
    let more = api
        .post("/v1/inboxes", &tenant.key, json!({ "username": "more" }))
        .await;
    more.refused(403, "PLAN_LIMIT_REACHED");
    api.patch(&path, &api.operator, json!({ "maxOctets": null }))
        .await
        .expect(StatusCode::OK);
    // What was sent before there was a limit does not count against it.
    for _ in 0..3 {
        send().await.expect(StatusCode::OK);
    }
    // Over the plan; in the dialects that have a word for it, too fast.
    send().await.refused(403, "PLAN_LIMIT_REACHED");
    let agentmail = api.post(
        "/v0/inboxes/scout@example.test/messages/send",
        &tenant.key,
        json!({ "to": "a@far.test" }),
    );
    assert_eq!(agentmail.await.status, 429);
    let letter = json!({ "recipients": { "to": ["a@far.test"] }, "subject": "x" });
    let inkbox = "/api/v1/mail/mailboxes/scout@example.test/messages";
    let limited = api.post(inkbox, &tenant.key, letter.clone()).await;
    assert_eq!(
        (limited.status, &limited.body["detail"]["error"]),
        (429, &json!("rate_limited"))
    );
    assert!(limited.headers.contains_key("retry-after"));
    for bad in [
        json!({ "maxOctets": -1 }),
        json!({ "maxOctets": "1" }),
        json!({ "max": 1 }),
    ] {
        api.patch(&path, &api.operator, bad)
            .await
            .refused(400, "VALIDATION_ERROR");
    }

    api.delete(&path, &api.operator).await.expect(StatusCode::OK);
    for key in [&tenant.key, &scout.text("apiKey")] {
        api.get("/v1/me", key).await.refused(401, "UNAUTHORIZED");
    }
    let all = api.get(PATH, &api.operator).await;
    assert_eq!(all.body, json!({ "organizations": [] }));
    let deleted = api.get(&format!("{PATH}?deleted=true"), &api.operator).await;
    assert_eq!(deleted.body["organizations"][0]["status"], "deleted");
    assert!(api.get(&path, &api.operator).await.body["deletedAt"].is_string());
    api.get(&tenants, &api.operator).await.refused(404, "NOT_FOUND");
    // What it had sent and not yet got rid of is taken back.
    let pending = api.get("/postroom/v1/queue?state=cancelled", &api.operator).await;
    assert!(!pending.bytes.is_empty());
    let restored = api.post(&format!("{path}/restore"), &api.operator, json!({})).await;
    assert_eq!(restored.text("status"), "active");
    api.get("/v1/me", &tenant.key).await.expect(StatusCode::OK);
    api.post(&format!("{path}/restore"), &api.operator, json!({}))
        .await
        .refused(404, "NOT_FOUND");
}

#[tokio::test]
async fn these_routes_are_the_operators() {
    let api = Api::new().await;
    let tenant = api.tenant("Acme").await;
    let one = format!("{PATH}/{}", tenant.id);
    for (method, path) in [
        ("GET", PATH.to_owned()),
        ("GET", one.clone()),
        ("PATCH", one.clone()),
        ("DELETE", one.clone()),
        ("POST", format!("{one}/suspend")),
        ("POST", format!("{one}/resume")),
        ("POST", format!("{one}/restore")),
        ("GET", format!("{one}/export")),
    ] {
        api.any(method, &path, &tenant.key).await.refused(403, "FORBIDDEN");
        api.any(method, &path, "tk_none").await.refused(401, "UNAUTHORIZED");
    }
    let nobody = format!("{PATH}/00000000-0000-0000-0000-000000000000/export");
    api.get(&nobody, &api.operator).await.refused(404, "NOT_FOUND");
}

#[tokio::test]
async fn webhooks_wait_while_nothing_may_leave() {
    let agents = Agents::new().await;
    let (api, endpoint) = (&agents.api, Endpoint::start().await);
    let scout = EmailAddress::parse(&agents.inbox).unwrap();
    let scout = api.identity.inbox_at_address(&scout).await.unwrap().unwrap();
    let path = format!("{PATH}/{}", scout.organization);
    let switch = async |verb: &str| {
        let answer = api.post(&format!("{path}/{verb}"), &api.operator, json!({})).await;
        answer.expect(StatusCode::OK);
    };
    let hook = json!({ "url": endpoint.url, "event_types": ["message.received"] });
    api.post("/v0/webhooks", &agents.key, hook).await.expect(StatusCode::OK);
    hello(&agents, "before").await;
    endpoint.wait_for(1).await;
    switch("suspend").await;
    hello(&agents, "meanwhile").await;
    endpoint.stays_at(1).await;
    switch("resume").await;
    let hits = endpoint.wait_for(2).await;
    assert_eq!(hits[1].body["message"]["subject"], "meanwhile");
    // It is there again with all that comes back.
    api.delete(&path, &api.operator).await.expect(StatusCode::OK);
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    switch("restore").await;
    hello(&agents, "after").await;
    let hits = endpoint.wait_for(3).await;
    assert_eq!(hits[2].body["message"]["subject"], "after");
}

/// The entries of an archive by their names.
fn unzipped(file: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut archive = zip::ZipArchive::new(Cursor::new(file)).unwrap();
    let mut entries = BTreeMap::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        entries.insert(entry.name().to_owned(), content);
    }
    entries
}

fn lines(entries: &BTreeMap<String, Vec<u8>>, name: &str) -> Vec<Value> {
    let text = std::str::from_utf8(entries.get(name).unwrap_or_else(|| panic!("no {name}"))).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Compares the mail of an archive with that of an inbox; how many messages there are.
async fn compared(api: &Api, inbox: InboxId, address: &str, entries: &BTreeMap<String, Vec<u8>>) -> usize {
    let mut count = 0;
    let mailboxes = lines(entries, &format!("mailboxes/{address}.jsonl"));
    let there = api.mailstore.mailboxes(inbox).await.unwrap();
    assert_eq!(mailboxes.len(), there.len());
    for mailbox in there {
        let listed = mailboxes.iter().find(|listed| listed["name"] == mailbox.name).unwrap();
        let file = format!("mail/{address}/{}", listed["file"].as_str().unwrap());
        let known = lines(entries, &file.replace(".mbox", ".jsonl"));
        let mut reader = MboxReader::new(&entries[&file][..], 1 << 24);
        let open = api.mailstore.open_shared(inbox, mailbox.id).await.unwrap();
        let uids = open.snapshot().uids;
        assert_eq!(known.len(), uids.len(), "{file}");
        for (line, uid) in known.iter().zip(uids.iter()) {
            let Some(MboxEntry::Message { mut content, .. }) = reader.next().unwrap() else {
                panic!("{file} is too short");
            };
            content.truncate(usize::try_from(line["sizeOctets"].as_u64().unwrap()).unwrap());
            let meta = &api.mailstore.metadata(inbox, mailbox.id, &[*uid], false).await.unwrap()[0];
            let stored = api.mailstore.content(inbox, meta.email_id).await.unwrap().unwrap();
            let stored = api.mailstore.read(&stored, 0..u64::MAX).await.unwrap().unwrap();
            assert_eq!(content, stored, "{file} {uid:?}");
            assert_eq!(line["uid"], json!(uid.get()));
            assert_eq!(line["emailId"], json!(meta.email_id.to_string()));
            let (_, flags, _) = &api.mailstore.flags(inbox, mailbox.id, &[*uid]).await.unwrap()[0];
            let system = Flag::ALL
                .into_iter()
                .filter(|flag| flags.system.contains(*flag))
                .map(Flag::name);
            assert_eq!(line["flags"], json!(system.collect::<Vec<_>>()));
            let keywords: Vec<&str> = flags.keywords.iter().map(|keyword| keyword.as_str()).collect();
            assert_eq!(line["keywords"], json!(keywords));
            count += 1;
        }
        assert!(reader.next().unwrap().is_none());
    }
    count
}

#[tokio::test]
async fn everything_of_an_organization_is_read_back() {
    let mail = Mail::new().await;
    let (api, inbox) = (&mail.api, mail.inbox);
    let organization = api.identity.inbox(inbox).await.unwrap().organization;
    for (index, text) in [
        "Subject: plain\n\nhello\n",
        "Subject: marked\n\nFrom here on\n>From there\nFrom\n",
        "Subject: no end\n\nlast line",
        "Subject: empty\n\n",
        "",
    ]
    .into_iter()
    .enumerate()
    {
        let id = mail.receive(text).await;
        let flags = MessageFlags {
            system: [Flags::NONE.with(Flag::Seen), Flags::NONE.with(Flag::Flagged)][index % 2],
            keywords: vec![Keyword::new(&format!("k{index}")).unwrap()],
        };
        api.mailstore
            .store_message_flags(inbox, id, FlagMode::Add, &flags)
            .await
            .unwrap();
    }
    let large = format!("Subject: large\n\n{}", "From 0123456789\n".repeat(50_000));
    mail.put(&large, Origin::Sent, MailboxRef::Special(SpecialUse::Sent))
        .await;
    let created = api.mailstore.create_mailbox(inbox, "a b/../c\u{fc}", None).await;
    created.unwrap();
    let mailboxes = api.mailstore.mailboxes(inbox).await.unwrap();
    let odd = mailboxes
        .iter()
        .find(|mailbox| mailbox.name.ends_with('\u{fc}'))
        .unwrap();
    mail.put("Subject: far\n\n", Origin::Imported, MailboxRef::Id(odd.id))
        .await;
    // Another organization's is not in it.
    let other = api.inbox(&api.tenant("B").await.key, "ranger").await;
    let stranger: InboxId = other.text("id").parse().unwrap();
    put(
        api,
        stranger,
        "Subject: secret\n\n",
        Origin::Received,
        MailboxRef::Inbox,
    )
    .await;

    let answer = api.get(&format!("{PATH}/{organization}/export"), &api.operator).await;
    answer.expect(StatusCode::OK);
    assert_eq!(answer.headers["content-type"], "application/zip");
    let entries = unzipped(&answer.bytes);
    assert_eq!(compared(api, inbox, "scout@example.test", &entries).await, 7);
    assert!(
        entries.keys().all(|name| !name.contains("..") || !name.contains("/..")),
        "{:?}",
        entries.keys()
    );
    assert!(!entries.keys().any(|name| name.contains("ranger")));
    let record: Value = serde_json::from_slice(&entries["organization.json"]).unwrap();
    assert_eq!(
        (record["id"].as_str(), record["format"].as_u64()),
        (Some(&*organization.to_string()), Some(1))
    );
    assert_eq!(lines(&entries, "pods.jsonl").len(), 1);
    assert_eq!(lines(&entries, "inboxes.jsonl")[0]["canonical"], "scout@example.test");
    for empty in ["identities", "lists", "rules", "domains", "webhooks", "drafts"] {
        assert_eq!(lines(&entries, &format!("{empty}.jsonl")), Vec::<Value>::new());
    }
}

#[tokio::test]
async fn no_secret_is_exported() {
    let api = Api::new().await;
    let tenant = api.tenant("Acme").await;
    let key = api.organization_key(&tenant.id).await;
    let scout = api.inbox(&tenant.key, "scout").await;
    let hook = json!({
        "url": "http://127.0.0.1:9/hook",
        "event_types": ["message.received"],
        "headers": { "X-Token": "very-secret" },
    });
    let hook = api.post("/v0/webhooks", &key, hook).await;
    assert!(hook.status < 300, "{}", hook.body);
    let entry = json!({ "entry": "bad@example.net", "reason": "rude" });
    let listed = api.post("/v0/lists/receive/block", &key, entry).await;
    assert!(listed.status < 300, "{}", listed.body);
    let drafts = format!("/v0/inboxes/{}/drafts", "scout@example.test");
    let draft = api
        .post(&drafts, &key, json!({ "to": ["a@example.net"], "subject": "d" }))
        .await;
    assert!(draft.status < 300, "{}", draft.body);
    let answer = api.get(&format!("{PATH}/{}/export", tenant.id), &api.operator).await;
    let entries = unzipped(&answer.bytes);
    let secrets = [
        tenant.key.clone(),
        key.clone(),
        scout.text("apiKey"),
        scout.text("imapPassword"),
        hook.text("secret"),
        "very-secret".to_owned(),
    ];
    for (name, content) in &entries {
        let text = String::from_utf8_lossy(content);
        for secret in &secrets {
            assert!(!text.contains(secret.as_str()), "{name}");
        }
    }
    assert_eq!(lines(&entries, "webhooks.jsonl").len(), 1);
    assert_eq!(lines(&entries, "lists.jsonl")[0]["entry"], "bad@example.net");
    assert_eq!(lines(&entries, "drafts.jsonl").len(), 1);
}
