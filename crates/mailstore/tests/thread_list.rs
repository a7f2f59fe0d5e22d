//! Lists of threads: what one call costs, and mail that comes while a list is read.

mod common;

use common::{Fixture, NOW, message, placing};
use postroom_mailstore::{ListQuery, MailboxRef, Mailstore, NewMessage, Placing};
use postroom_store::{BoxFuture, Front, Key, MemoryStore, Page, SharedStore, Store, StoreError, Value};
use postroom_types::{EmailId, ThreadId};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A store that counts the rows it is asked for, and makes one commit before it answers a certain question for a range.
struct Watched {
    inner: SharedStore,
    rows: AtomicUsize,
    ranges: AtomicUsize,
    /// The number of the question, and what is done before it.
    meanwhile: Mutex<Option<(usize, BoxFuture<'static, ()>)>>,
}

impl Watched {
    fn new(inner: SharedStore) -> Arc<Self> {
        Arc::new(Self {
            inner,
            rows: AtomicUsize::new(0),
            ranges: AtomicUsize::new(0),
            meanwhile: Mutex::new(None),
        })
    }
}

impl Front for Watched {
    fn behind(&self) -> &dyn Store {
        &*self.inner
    }

    fn get<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Value>, StoreError>> {
        self.rows.fetch_add(1, Ordering::SeqCst);
        self.inner.get(key)
    }

    fn get_many<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Value>>, StoreError>> {
        self.rows.fetch_add(keys.len(), Ordering::SeqCst);
        self.inner.get_many(keys)
    }

    fn range<'a>(
        &'a self,
        low: &'a [u8],
        high: &'a [u8],
        reverse: bool,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page, StoreError>> {
        Box::pin(async move {
            let number = self.ranges.fetch_add(1, Ordering::SeqCst);
            let due = self.meanwhile.lock().unwrap().take_if(|(at, _)| *at <= number);
            if let Some((_, meanwhile)) = due {
                meanwhile.await;
            }
            let page = self.inner.range(low, high, reverse, limit).await?;
            self.rows.fetch_add(page.pairs.len(), Ordering::SeqCst);
            Ok(page)
        })
    }
}

/// A message in a thread of its own, or in that of another.
fn letter(f: &Fixture, number: i64, answers: Option<i64>) -> (NewMessage, Placing) {
    let at = NOW + number * 1000;
    let reply = answers.map_or_else(String::new, |number| format!("In-Reply-To: <m{number}@x>\r\n"));
    let new = NewMessage {
        received_at: at,
        ..message(&format!(
            "From: a@example.net\r\nMessage-ID: <m{number}@x>\r\nSubject: {number}\r\n{reply}\r\n{number}\r\n"
        ))
    };
    let mut id = [7; 16];
    id[..6].copy_from_slice(&at.to_be_bytes()[2..]);
    let placing = Placing {
        email_id: EmailId::from_bytes(id),
        ..placing(f.inbox, MailboxRef::Inbox, &new)
    };
    (new, placing)
}

async fn put(f: &Fixture, number: i64, answers: Option<i64>) {
    let (new, placing) = letter(f, number, answers);
    f.mail.deliver(&new, vec![placing]).await.unwrap();
}

#[tokio::test]
async fn a_label_that_nothing_has_costs_no_more_than_one_page() {
    let watched = Watched::new(MemoryStore::new());
    let f = Fixture::on(watched.clone()).await;
    let (long, each) = (40, 130);
    for number in 0..long * each {
        put(&f, number, Some(number - long).filter(|first| *first >= 0)).await;
    }
    let nothing = ListQuery {
        labels: vec!["nothing".to_owned()],
        ..ListQuery::default()
    };
    for query in [nothing, ListQuery::default()] {
        let (mut cursor, mut calls, mut found) = (None, 0, BTreeSet::new());
        loop {
            let before = watched.rows.load(Ordering::SeqCst);
            let page = f.mail.list_threads(f.inbox, &query, cursor, 10).await.unwrap();
            let rows = watched.rows.load(Ordering::SeqCst) - before;
            assert!(rows < 30_000, "{rows} rows");
            calls += 1;
            assert!(calls < 200);
            found.extend(page.threads.iter().map(|thread| thread.thread_id));
            assert!(page.threads.iter().all(|thread| thread.count == each as usize));
            match page.next {
                None => break,
                Some(next) => {
                    assert!(cursor.is_none_or(|cursor| next < cursor), "it goes on");
                    cursor = Some(next);
                }
            }
        }
        let expected = if query.labels.is_empty() { long as usize } else { 0 };
        assert_eq!(found.len(), expected);
    }
}

/// Whenever an answer comes while the first page is read, its thread is on that page, once.
#[tokio::test]
async fn mail_that_comes_while_a_list_is_read() {
    let mut came = 0;
    for question in 1..60 {
        let inner: SharedStore = MemoryStore::new();
        let watched = Watched::new(Arc::clone(&inner));
        let f = Fixture::on(watched.clone()).await;
        for number in 0..30 {
            put(&f, number, None).await;
        }
        let mail = Mailstore::new(inner, postroom_mailstore::Options::default());
        let (new, placing) = letter(&f, 100, Some(1));
        let now = watched.ranges.load(Ordering::SeqCst);
        *watched.meanwhile.lock().unwrap() = Some((
            now + question,
            Box::pin(async move {
                mail.deliver(&new, vec![placing]).await.unwrap();
            }),
        ));
        let page = f
            .mail
            .list_threads(f.inbox, &ListQuery::default(), None, 30)
            .await
            .unwrap();
        let threads: Vec<ThreadId> = page.threads.iter().map(|thread| thread.thread_id).collect();
        let distinct: BTreeSet<ThreadId> = threads.iter().copied().collect();
        assert_eq!((threads.len(), distinct.len()), (30, 30), "before question {question}");
        came += usize::from(watched.meanwhile.lock().unwrap().is_none());
    }
    assert!(came > 20, "it came {came} times while the list was read");
}
