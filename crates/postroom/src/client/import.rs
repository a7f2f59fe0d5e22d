//! `postroom import …`: a file is sent, and followed until its messages are there.
//!
//! What always holds: an import whose file did not arrive is given up; one that has begun goes on without us, and is
//! followed over a break of the connection; who stops following it is told how to go on.

use super::Result;
use super::api::Api;
use super::call::{Call, given};
use super::failure::Failure;
use super::place::Place;
use super::show::{self, Shown};
use super::table::IMPORTS;
use super::upload::Upload;
use crate::cli::client::{Import, ImportVerb, IntoInbox, NewImport, OneImport};
use crate::progress::Bar;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Between two looks at how far it is, at first and at most.
const PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_secs(2);
/// How long a server may be away.
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) async fn import(import: &Import) -> Result<()> {
    let api = &Api::new(&import.api)?;
    api.for_agents()?;
    match (&import.verb, &import.new) {
        (None, Some(new)) => bring(api, new).await,
        (Some(_), Some(_)) => Err(Failure::usage("either a file, or one of the commands")),
        (Some(verb), None) => about(api, verb).await,
        // The command line asks for one of them.
        (None, None) => Err(Failure::usage("name a file, or one of the commands")),
    }
}

async fn about(api: &Api, verb: &ImportVerb) -> Result<()> {
    let of = async |into: &IntoInbox| imports(api, into.inbox.as_deref(), into.identity.as_deref()).await;
    let one = async |one: &OneImport| Ok::<_, Failure>(of(&one.into).await?.then(&[&one.id]));
    let call = match verb {
        ImportVerb::Ls { into, paging } => Call::cursor_list(of(into).await?, paging, &IMPORTS),
        ImportVerb::Show(import) => Call::get(one(import).await?),
        ImportVerb::Cancel(import) => Call::post(one(import).await?.then(&["cancel"]), json!({})),
        ImportVerb::Follow(import) => {
            let job = one(import).await?;
            if api.get(&job).await?["status"] == "pending_upload" {
                begun(api, &job).await?;
            }
            return followed(api, &job, &import.id).await;
        }
    };
    call.run(api).await
}

/// The imports of an inbox.
async fn imports(api: &Api, inbox: Option<&str>, identity: Option<&str>) -> Result<Place> {
    let address = match (inbox, identity) {
        (Some(inbox), _) if inbox.contains('@') => inbox.to_owned(),
        (Some(inbox), _) => told(&api.get(&Place::v1(&["inboxes", inbox])).await?, "canonicalEmail")?,
        (None, identity) => {
            // The command line asks for one of the two.
            let identity = identity.unwrap_or_default();
            told(
                &api.get(&Place::inkbox(&["identities", identity])).await?,
                "email_address",
            )?
        }
    };
    Ok(Place::inkbox(&["mail", "mailboxes", &address, "imports"]))
}

fn told(answer: &Value, field: &str) -> Result<String> {
    let text = answer[field].as_str().map(str::to_owned);
    text.ok_or_else(|| Failure::failed(format!("the answer has no {field}")))
}

async fn bring(api: &Api, new: &NewImport) -> Result<()> {
    // Before anything is asked of the server.
    let file = Upload::open(&new.file).await?;
    let imports = imports(api, new.inbox.as_deref(), new.identity.as_deref()).await?;
    let wish = given(json!({
        "source_format": new.format,
        "original_addresses": new.mine,
        "mark_as_read": !new.unread,
    }));
    let made = Call::post(imports.clone(), wish).answer(api).await?;
    let id = told(&made["job"], "id")?;
    let job = imports.then(&[&id]);
    let sent = or_stopped(file.send(api, &made["upload"]), || Failure::failed("stopped")).await;
    if let Err(failure) = sent {
        // It would be one of the few that an inbox may have. Who cannot be asked forgets it in time.
        let _ = Call::post(job.then(&["cancel"]), json!({})).answer(api).await;
        return Err(failure);
    }
    let stopped = || Failure::failed("stopped");
    let begun = or_stopped(begun(api, &job), stopped).await;
    let begun = begun.map_err(|failure| {
        failure.with_advice(&format!("Its file has arrived; to go on: postroom import follow {id}"))
    })?;
    match new.detach {
        true => show::print(api, &begun, &Shown::Fields),
        false => followed(api, &job, &id).await,
    }
}

/// Starts an import whose file has arrived. A start that was not answered may have been one.
async fn begun(api: &Api, job: &Place) -> Result<Value> {
    let start = Call::post(job.clone().then(&["start"]), json!({}));
    let (begun_at, mut pause) = (Instant::now(), PAUSE);
    loop {
        let failure = match start.answer(api).await {
            Err(failure) => failure,
            begun => return begun,
        };
        match api.get(job).await {
            Ok(told) if told["status"] != "pending_upload" => return Ok(told),
            _ if failure.is_passing() && begun_at.elapsed() < PATIENCE => {}
            _ => return Err(failure),
        }
        sleep(pause).await;
        pause = MAX_PAUSE.min(pause * 2);
    }
}

/// What comes of it, unless the user stops it before.
async fn or_stopped<T>(done: impl Future<Output = Result<T>>, stopped: impl FnOnce() -> Failure) -> Result<T> {
    tokio::select! {
        done = done => done,
        signal = tokio::signal::ctrl_c() => Err(signal.map_or_else(Failure::from, |()| stopped())),
    }
}

/// Follows an import to its end, tells what came of it, and fails if that is not all of it.
async fn followed(api: &Api, job: &Place, id: &str) -> Result<()> {
    let stopped = || {
        Failure::failed(format!(
            "it goes on without you; to see it again: postroom import follow {id}"
        ))
    };
    let ended = or_stopped(ended(api, job), stopped).await?;
    show::print(api, &ended, &Shown::Fields)?;
    verdict(&ended)
}

async fn ended(api: &Api, job: &Place) -> Result<Value> {
    let (mut bar, mut pause, mut seen) = (Bar::new(), PAUSE, Instant::now());
    loop {
        let path = job.path()?;
        match api.json(api.request(Method::GET, &path)).await {
            Ok(told) => {
                let status = told["status"].as_str().unwrap_or_default();
                if ["completed", "failed", "cancelled"].contains(&status) {
                    return Ok(told);
                }
                if status == "pending_upload" {
                    return Err(Failure::failed("its file was not uploaded, or it was not started"));
                }
                bar.so_far("messages:", told["messages_processed"].as_u64().unwrap_or_default());
                seen = Instant::now();
            }
            Err(failure) if failure.is_passing() && seen.elapsed() < PATIENCE => {}
            Err(failure) => return Err(failure),
        }
        sleep(pause).await;
        pause = MAX_PAUSE.min(pause * 2);
    }
}

/// Whether all that was in the file is in the mailbox.
fn verdict(ended: &Value) -> Result<()> {
    let count = |field: &str| ended[field].as_u64().unwrap_or_default();
    let lost = count("messages_failed") + count("messages_rejected_unsafe");
    match ended["status"].as_str() {
        Some("completed") if lost == 0 => Ok(()),
        Some("completed") => Err(Failure::failed(format!("{lost} of its messages could not be brought"))),
        Some("cancelled") => Err(Failure::failed("the import was cancelled")),
        _ => {
            let why = show::one_line(ended["error_detail"].as_str().unwrap_or("no reason given"));
            Err(Failure::failed(format!("the import failed: {why}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::stub::{Stub, whole};
    use super::*;

    #[test]
    fn what_an_end_means() {
        let check = |ended: Value, expected: Option<&str>| {
            let failure = verdict(&ended).err().map(|failure| failure.to_string());
            assert_eq!(failure.as_deref(), expected, "{ended}");
        };
        check(json!({ "status": "completed", "messages_skipped_duplicate": 3 }), None);
        check(
            json!({ "status": "completed", "messages_failed": 1, "messages_rejected_unsafe": 2 }),
            Some("3 of its messages could not be brought"),
        );
        check(json!({ "status": "cancelled" }), Some("the import was cancelled"));
        check(
            json!({ "status": "failed", "error_detail": "no\u{1b}zip" }),
            Some("the import failed: no zip"),
        );
    }

    #[tokio::test]
    async fn an_import_is_followed_over_a_break() {
        let stub = Stub::in_turn(vec![
            ("get /api/v1/j", 200, whole(r#"{"status":"queued"}"#)),
            ("get /api/v1/j", 503, whole("{}")),
            (
                "get /api/v1/j",
                200,
                whole(r#"{"status":"running","messages_processed":1}"#),
            ),
            (
                "get /api/v1/j",
                200,
                whole(r#"{"status":"completed","messages_processed":2}"#),
            ),
        ])
        .await;
        let ended = ended(&stub.api, &Place::inkbox(&["j"])).await.ok();
        assert_eq!(ended.map(|ended| ended["messages_processed"].clone()), Some(json!(2)));
        assert_eq!(stub.asked().len(), 4);
    }

    #[tokio::test]
    async fn a_start_without_an_answer_may_have_been_one() {
        let (start, job) = ("post /api/v1/j/start", "get /api/v1/j");
        let stub = Stub::in_turn(vec![
            (start, 503, whole("{}")),
            (job, 200, whole(r#"{"status":"pending_upload"}"#)),
            (start, 503, whole("{}")),
            (job, 200, whole(r#"{"status":"queued"}"#)),
        ])
        .await;
        let begun = begun(&stub.api, &Place::inkbox(&["j"])).await.ok();
        assert_eq!(begun, Some(json!({ "status": "queued" })));
        assert_eq!(stub.asked(), [start, job, start, job]);
    }

    #[tokio::test]
    async fn what_did_not_arrive_is_given_up() {
        let made = r#"{"job":{"id":"7"},"upload":{"url":"http://elsewhere/api/v1/mail/imports/7/upload?ticket=x","fields":{}}}"#;
        let stub = Stub::new(vec![
            ("post /api/v1/mail/mailboxes/a@b/imports", 201, whole(made)),
            ("post /api/v1/mail/imports/7/upload?ticket=x", 413, whole("{}")),
            ("post /api/v1/mail/mailboxes/a@b/imports/7/cancel", 200, whole("{}")),
        ])
        .await;
        let file = std::env::temp_dir().join(format!("postroom-import-{}", std::process::id()));
        std::fs::write(&file, "From: a@b\r\n\r\nx\r\n").expect("a file");
        let new = NewImport {
            file: file.clone(),
            inbox: Some("a@b".to_owned()),
            identity: None,
            format: "auto".to_owned(),
            mine: Vec::new(),
            unread: false,
            detach: false,
        };
        let failure = bring(&stub.api, &new).await.expect_err("refused");
        std::fs::remove_file(&file).expect("it is there");
        assert!(failure.to_string().contains("[413]"), "{failure}");
        let asked = stub.asked();
        assert_eq!(asked.len(), 3, "{asked:?}");
        assert!(asked[2].ends_with("/cancel"));
    }
}
