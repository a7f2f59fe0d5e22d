//! Waiting for a message, and for what stands in it.

use crate::agentmail_mail::{Agents, encoded};
use crate::hearing::{hello, receive, receive_text, receive_verified};
use crate::setup::Answer;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use postroom_feed::ReceivedAs;
use postroom_message::{MechanismResult, Verdict};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::time::sleep;

const CODE: &str = "From: Example <no-reply@example.com>\r\nSubject: Sign in\r\nMessage-ID: <code@example.com>\r\n\r\n\
    Your verification code is 482913. It expires in 10 minutes.\r\n";
const LINK: &str = "From: Example <no-reply@example.com>\r\nSubject: Welcome\r\nContent-Type: text/html\r\n\r\n\
    <p>Please confirm your address:</p><a href=\"https://example.com/verify/8fK2mQ9xT4vB7nL1\">Confirm</a>\r\n";

fn path(agents: &Agents, query: &str) -> String {
    format!("/postroom/v1/inboxes/{}/wait?{query}", agents.inbox)
}

async fn wait(agents: &Agents, query: &str) -> Answer {
    agents.api.get(&path(agents, query), &agents.key).await
}

async fn found(agents: &Agents, query: &str) -> Value {
    let answer = wait(agents, query).await;
    answer.expect(StatusCode::OK);
    answer.body
}

/// Where things stand now.
async fn now(agents: &Agents) -> String {
    found(agents, "timeout=0").await["next"].as_str().unwrap().to_owned()
}

async fn code(agents: &Agents) {
    receive_text(agents, &agents.inbox, CODE, ReceivedAs::Plain).await;
}

#[tokio::test]
async fn mail_that_is_there_already() {
    let agents = Agents::new().await;
    let start = now(&agents).await;
    hello(&agents, "first").await;
    hello(&agents, "second").await;
    let first = found(&agents, &format!("timeout=0&since={start}")).await;
    assert_eq!(first["message"]["subject"], "first");
    assert_eq!(first["message"]["inbox_id"], agents.inbox.as_str());
    assert_eq!(first["message"]["extracted_text"], "hello first\r\n");
    // The cursor goes on behind it.
    let since = first["next"].as_str().unwrap();
    let second = found(&agents, &format!("timeout=0&since={since}")).await;
    assert_eq!(second["message"]["subject"], "second");
    let since = second["next"].as_str().unwrap();
    let none = found(&agents, &format!("timeout=0&since={since}")).await;
    assert!(none["message"].is_null() && none["next"].as_str().unwrap() >= since);
    // Without `since` only what comes from now on counts.
    assert!(found(&agents, "timeout=0").await["message"].is_null());
}

#[tokio::test]
async fn since_a_time() {
    let agents = Agents::new().await;
    hello(&agents, "first").await;
    // Test mail is of 2026-09-21.
    let of =
        async |since: &str| found(&agents, &format!("timeout=0&since={since}")).await["message"]["subject"].clone();
    assert_eq!(of("2026-09-20T00:00:00Z").await, "first");
    assert_eq!(of("2026-09-20T00:00:00%2B02:00").await, "first");
    assert_eq!(of("2030-01-01T00:00:00Z").await, Value::Null);
}

#[tokio::test]
async fn filters() {
    let agents = Agents::new().await;
    let start = now(&agents).await;
    hello(&agents, "Hello World").await;
    code(&agents).await;
    let of = async |filter: &str| {
        let body = found(&agents, &format!("timeout=0&since={start}&{filter}")).await;
        body["message"]["subject"].as_str().unwrap_or("-").to_owned()
    };
    for (filter, subject) in [
        ("from=ann%40far.test", "Hello World"),
        ("from=example.com", "Sign in"),
        ("from=%40example.com", "Sign in"),
        ("from=ample.com", "-"),
        ("from=Ann", "Hello World"),
        ("subject=sign", "Sign in"),
        ("subject=sign&from=ann", "-"),
        ("thread=01890a5d-ac96-774b-bcce-b302099a8057", "-"),
        ("extract=code", "Sign in"),
        ("extract=link", "-"),
    ] {
        assert_eq!(of(filter).await, subject, "{filter}");
    }
    let listed = agents.good("messages").await;
    let thread = listed["messages"][0]["thread_id"].as_str().unwrap();
    assert_eq!(
        of(&format!("thread={thread}")).await,
        listed["messages"][0]["subject"].as_str().unwrap()
    );
}

#[tokio::test]
async fn mail_that_comes_while_it_is_waited_for() {
    let agents = Agents::new().await;
    let started = Instant::now();
    let (answer, ()) = tokio::join!(found(&agents, "timeout=20&subject=wanted"), async {
        sleep(Duration::from_millis(200)).await;
        hello(&agents, "other").await;
        let elsewhere = agents.inbox("elsewhere").await;
        receive(&agents, &elsewhere, "wanted", ReceivedAs::Plain).await;
        hello(&agents, "wanted").await;
    });
    assert_eq!(answer["message"]["subject"], "wanted");
    assert_eq!(answer["message"]["inbox_id"], agents.inbox.as_str());
    assert!(started.elapsed() < Duration::from_secs(15));
}

#[tokio::test]
async fn nothing_comes() {
    let agents = Agents::new().await;
    let started = Instant::now();
    let none = found(&agents, "timeout=1").await;
    assert!(none["message"].is_null() && none.get("extraction").is_none());
    assert!((Duration::from_millis(900)..Duration::from_secs(10)).contains(&started.elapsed()));
}

/// Mail comes at every moment of the request; none falls between the look and the wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_falls_between() {
    let agents = Agents::new().await;
    let mut since = now(&agents).await;
    for round in 0..40_u64 {
        let query = format!("timeout=20&since={since}");
        let (answer, _) = tokio::join!(found(&agents, &query), async {
            sleep(Duration::from_micros(round * 50)).await;
            hello(&agents, &round.to_string()).await
        });
        assert_eq!(answer["message"]["subject"], round.to_string());
        since = answer["next"].as_str().unwrap().to_owned();
    }
}

#[tokio::test]
async fn who_waits_with_a_key_that_is_revoked_gets_nothing() {
    let agents = Agents::new().await;
    let api = &agents.api;
    let start = now(&agents).await;
    for path in [
        path(&agents, &format!("timeout=20&since={start}&extract=code&consume=true")),
        format!("/postroom/v1/events?wait=20&after={start}"),
    ] {
        let made = api.post("/v0/api-keys", &agents.key, json!({ "name": "short" })).await;
        let (key, gone) = (
            made.text("api_key"),
            format!("/v0/api-keys/{}", made.text("api_key_id")),
        );
        let started = Instant::now();
        let (answer, ()) = tokio::join!(api.get(&path, &key), async {
            sleep(Duration::from_millis(200)).await;
            assert!(api.delete(&gone, &agents.key).await.status < 300);
        });
        answer.expect(StatusCode::OK);
        assert!(answer.body["message"].is_null(), "{path}: {}", answer.body);
        assert!(started.elapsed() < Duration::from_secs(10), "{path}");
    }
    code(&agents).await;
    let query = format!("timeout=0&since={start}&extract=code&consume=true");
    assert_eq!(found(&agents, &query).await["extraction"]["code"], "482913");
}

#[tokio::test]
async fn codes_and_links() {
    let agents = Agents::new().await;
    let start = now(&agents).await;
    hello(&agents, "without").await;
    code(&agents).await;
    receive_text(&agents, &agents.inbox, LINK, ReceivedAs::Plain).await;
    let answer = found(&agents, &format!("timeout=0&since={start}&extract=code")).await;
    assert_eq!(answer["message"]["message_id"], "<code@example.com>");
    assert_eq!(
        answer["extraction"],
        json!({
            "code": "482913",
            "evidence": "Your verification code is 482913.",
            "sender": { "address": "no-reply@example.com", "dmarc": "none", "spf": "none", "dkim": "none" },
            // Ten minutes after the mail came.
            "expires_at": "2026-09-21T14:23:20.000Z",
        })
    );
    let answer = found(&agents, &format!("timeout=0&since={start}&extract=link")).await;
    assert_eq!(
        answer["extraction"]["link"],
        "https://example.com/verify/8fK2mQ9xT4vB7nL1"
    );
    assert_eq!(answer["extraction"]["purpose"], "verify");
    assert!(answer["extraction"].get("expires_at").is_none());
    let none = found(&agents, &format!("timeout=0&since={start}&extract=link&purpose=reset")).await;
    assert!(none["message"].is_null());
}

#[tokio::test]
async fn only_from_who_proved_it() {
    let agents = Agents::new().await;
    let start = now(&agents).await;
    code(&agents).await;
    let mut verdict = Verdict::default();
    (verdict.dmarc.result, verdict.dmarc.domain) = (MechanismResult::Pass, "example.com".into());
    verdict.spf.result = MechanismResult::SoftFail;
    let proven = CODE.replace("482913", "771122").replace("<code@", "<proven@");
    receive_verified(&agents, &agents.inbox, &proven, ReceivedAs::Plain, verdict.encode()).await;
    let stranger = proven
        .replace("no-reply@example.com", "no-reply@example.net")
        .replace("<proven@", "<x@");
    receive_verified(&agents, &agents.inbox, &stranger, ReceivedAs::Plain, verdict.encode()).await;
    let query = format!("timeout=0&since={start}&extract=code&dmarc=pass");
    let answer = found(&agents, &query).await;
    assert_eq!(answer["extraction"]["code"], "771122");
    assert_eq!(
        answer["extraction"]["sender"],
        json!({ "address": "no-reply@example.com", "dmarc": "pass", "spf": "softfail", "dkim": "none" })
    );
    // The domain that passed is not that of this sender.
    assert!(found(&agents, &format!("{query}&from=example.net")).await["message"].is_null());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_code_is_given_out_once() {
    let agents = Agents::new().await;
    let start = now(&agents).await;
    let query = format!("timeout=2&since={start}&extract=code&consume=true");
    let waiting = async { tokio::join!(found(&agents, &query), found(&agents, &query), found(&agents, &query)) };
    let ((a, b, c), ()) = tokio::join!(waiting, async {
        sleep(Duration::from_millis(200)).await;
        code(&agents).await;
    });
    let given = [a, b, c].iter().filter(|answer| !answer["message"].is_null()).count();
    assert_eq!(given, 1);
    // Nobody gets it any more, whether to use it up or not; the message is still there.
    for query in ["extract=code", "extract=code&consume=true"] {
        assert!(found(&agents, &format!("timeout=0&since={start}&{query}")).await["message"].is_null());
    }
    let message = found(&agents, &format!("timeout=0&since={start}")).await;
    assert_eq!(message["message"]["subject"], "Sign in");
}

/// An answer that was lost on the way is had again by the same key.
#[tokio::test]
async fn a_repeated_request_gets_its_code_again() {
    let agents = Agents::new().await;
    let start = now(&agents).await;
    code(&agents).await;
    let ask = async |key: &str| {
        let request = Request::builder()
            .uri(path(
                &agents,
                &format!("timeout=0&since={start}&extract=code&consume=true"),
            ))
            .header("x-api-key", &agents.key)
            .header("idempotency-key", key);
        agents.api.send(request.body(Body::empty()).unwrap()).await.body["extraction"]["code"].clone()
    };
    assert_eq!(ask("one").await, "482913");
    assert_eq!(ask("two").await, Value::Null);
    assert_eq!(ask("one").await, "482913");
}

#[tokio::test]
async fn who_may_wait() {
    let agents = Agents::new().await;
    let narrow = agents.key_with(json!({ "inbox_read": true })).await;
    let path = path(&agents, "timeout=0");
    assert_eq!(agents.api.get(&path, &narrow).await.status, 403);
    assert_eq!(agents.api.get(&path, "am_x").await.status, 401);
    assert_eq!(agents.api.get(&path, &agents.api.operator).await.status, 403);
    let other = agents.api.tenant("B").await;
    let key = agents.api.organization_key(&other.id).await;
    agents.api.get(&path, &key).await.refused(404, "NOT_FOUND");
    let none = "/postroom/v1/inboxes/nobody%40example.test/wait?timeout=0";
    agents.api.get(none, &agents.key).await.refused(404, "NOT_FOUND");
    // By id too, and with the address encoded.
    let id = agents.id_of(&agents.inbox).await;
    for name in [id.to_string(), encoded(&agents.inbox)] {
        let path = format!("/postroom/v1/inboxes/{name}/wait?timeout=0");
        agents.api.get(&path, &agents.key).await.expect(StatusCode::OK);
    }
}

#[tokio::test]
async fn hidden_mail_is_found_only_if_asked_for() {
    let agents = Agents::new().await;
    let start = now(&agents).await;
    receive(&agents, &agents.inbox, "junk", ReceivedAs::Spam).await;
    let query = format!("timeout=0&since={start}");
    assert!(found(&agents, &query).await["message"].is_null());
    let shown = found(&agents, &format!("{query}&include_spam=true")).await;
    assert_eq!(shown["message"]["subject"], "junk");
    let narrow = agents.key_with(json!({ "message_read": true })).await;
    let path = path(&agents, &format!("{query}&include_spam=true"));
    assert_eq!(agents.api.get(&path, &narrow).await.status, 403);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let agents = Agents::new().await;
    for query in [
        "timeout=56",
        "timeout=x",
        "since=yesterday",
        "extract=all",
        "extract=link&purpose=fun",
        "dmarc=fail",
        "consume=maybe",
        "thread=x",
        "from=a&from=b",
    ] {
        wait(&agents, query).await.refused(400, "VALIDATION_ERROR");
    }
}
