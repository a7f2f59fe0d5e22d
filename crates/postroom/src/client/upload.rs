//! A file on its way to the server, as a form, with a bar.
//!
//! What always holds: the file is read piece by piece; however long it takes, it is waited for as long as the server
//! takes something.

use super::Result;
use super::api::{Api, CONNECT, SILENCE};
use super::failure::Failure;
use crate::progress::Bar;
use postroom_store_sled::Progress;
use postroom_types::EmailId;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::redirect::Policy;
use reqwest::{Body, Client};
use serde_json::Value;
use std::io::Cursor;
use std::path::Path;
use std::time::Duration;
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::io::{InspectReader, ReaderStream};

/// Where the server wants its files.
const UPLOADS: &str = "/api/v1/mail/imports/";
/// Octets read at once.
const PIECE: usize = 256 << 10;

/// A file to be sent.
pub(super) struct Upload {
    file: File,
    octets: u64,
}

impl Upload {
    /// Opens it; anything but a file has no length that could be told beforehand.
    pub(super) async fn open(path: &Path) -> Result<Self> {
        let named = |error: std::io::Error| Failure::failed(format!("{}: {error}", path.display()));
        let file = File::open(path).await.map_err(named)?;
        let about = file.metadata().await.map_err(named)?;
        match about.is_file() {
            true => Ok(Self {
                file,
                octets: about.len(),
            }),
            false => Err(Failure::usage(format!("{} is not a file", path.display()))),
        }
    }

    /// Sends it to where the server says: `url`, and the `fields` of the form that come before it.
    pub(super) async fn send(self, api: &Api, target: &Value) -> Result<()> {
        let url = target["url"].as_str();
        let url = url.ok_or_else(|| Failure::failed("the answer does not tell where to send the file"))?;
        let boundary = format!("postroom-{}", EmailId::new());
        let (head, tail) = form(&target["fields"], &boundary);
        let octets = self.octets;
        let length = head.len() as u64 + octets + tail.len() as u64;
        let (told, taken) = watch::channel(0_u64);
        // A file that grows meanwhile is taken as it was.
        let file = InspectReader::new(self.file.take(octets), move |piece: &[u8]| {
            told.send_modify(|taken| *taken += piece.len() as u64);
        });
        let whole = Cursor::new(head).chain(file).chain(Cursor::new(tail));
        // What bounds the wait for an answer elsewhere would begin with the request, and end it before all is sent.
        let http = Client::builder()
            .connect_timeout(CONNECT)
            .redirect(Policy::none())
            .build()?;
        let request = http
            .post(api.own_link(url, UPLOADS))
            .header(CONTENT_TYPE, format!("multipart/form-data; boundary={boundary}"))
            .header(CONTENT_LENGTH, length)
            .body(Body::wrap_stream(ReaderStream::with_capacity(whole, PIECE)));
        watched(api.answered(request), taken, octets, SILENCE).await
    }
}

/// Waits for the end of a request whose body tells how much of it was taken, as long as no pause is longer than `silence`.
async fn watched<T>(
    sending: impl Future<Output = Result<T>>,
    mut taken: watch::Receiver<u64>,
    octets: u64,
    silence: Duration,
) -> Result<()> {
    tokio::pin!(sending);
    let mut bar = Bar::new();
    loop {
        tokio::select! {
            answered = &mut sending => return answered.map(drop),
            changed = timeout(silence, taken.changed()) => match changed {
                Ok(Ok(())) => bar.show("uploading", Progress {
                    done_octets: *taken.borrow_and_update(),
                    total_octets: octets,
                }),
                Ok(Err(_)) => break,
                Err(_) => return Err(Failure::failed("the server takes no more of the file")),
            },
        }
    }
    drop(bar);
    match timeout(silence, sending).await {
        Ok(answered) => answered.map(drop),
        Err(_) => Err(Failure::failed("the server does not say that it has the file")),
    }
}

/// What comes before the file and after it (RFC 7578 §4).
fn form(fields: &Value, boundary: &str) -> (Vec<u8>, Vec<u8>) {
    let mut head = String::new();
    for (name, value) in fields.as_object().into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        head.push_str(&format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        ));
    }
    head.push_str(&format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"mail\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    ));
    (head.into_bytes(), format!("\r\n--{boundary}--\r\n").into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const SHORT: Duration = Duration::from_millis(300);

    #[tokio::test]
    async fn whoever_takes_something_is_waited_for() {
        let (told, taken) = watch::channel(0);
        let sending = async {
            for taken in 1..=8 {
                tokio::time::sleep(SHORT / 4).await;
                told.send_replace(taken);
            }
            Ok(())
        };
        assert!(watched(sending, taken, 8, SHORT).await.is_ok());
    }

    #[tokio::test]
    async fn whoever_takes_nothing_is_not() {
        let never = std::future::pending::<Result<()>>;
        let (told, taken) = watch::channel(0);
        let failure = watched(never(), taken.clone(), 8, SHORT).await.expect_err("silence");
        assert!(failure.to_string().contains("takes no more"), "{failure}");
        drop(told);
        let failure = watched(never(), taken, 8, SHORT).await.expect_err("silence");
        assert!(failure.to_string().contains("does not say"), "{failure}");
    }

    #[test]
    fn a_file_is_the_last_part_of_a_form() {
        let (head, tail) = form(&json!({ "ticket": "t" }), "b");
        let expected = "--b\r\nContent-Disposition: form-data; name=\"ticket\"\r\n\r\nt\r\n\
                        --b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"mail\"\r\n\
                        Content-Type: application/octet-stream\r\n\r\n";
        assert_eq!(String::from_utf8(head).as_deref(), Ok(expected));
        assert_eq!(tail, b"\r\n--b--\r\n");
        assert!(
            form(&Value::Null, "b")
                .0
                .starts_with(b"--b\r\nContent-Disposition: form-data; name=\"file\"")
        );
    }
}
