//! A client without sockets.

pub(crate) use crate::server::World;
use postroom_imap::Session;
use postroom_store::MemoryStore;
use postroom_testkit::Driven;
use postroom_wire::ChannelBinding;
use std::time::Duration;

impl World {
    pub(crate) async fn new() -> Self {
        Self::on(MemoryStore::new()).await
    }

    /// On a store that conflicts, loses answers and gives short pages wherever it may.
    pub(crate) async fn hostile(seed: u64) -> Self {
        Self::on(MemoryStore::hostile(seed)).await
    }

    pub(crate) async fn connect(&self) -> Client {
        Client(self.connection().await)
    }

    pub(crate) async fn log_in(&self) -> Client {
        let mut client = self.connect().await;
        let told = client
            .say(&format!("l LOGIN scout@example.test {}", self.password.expose()))
            .await;
        assert!(told.starts_with("l OK"), "{told}");
        client
    }

    /// A client that has selected INBOX.
    pub(crate) async fn selected(&self) -> Client {
        let mut client = self.log_in().await;
        let told = client.say("s SELECT INBOX").await;
        assert!(told.ends_with("s OK [READ-WRITE] SELECT completed\r\n"), "{told}");
        client
    }

    pub(crate) async fn check(&self) {
        let wrong = self.mailstore.check_consistency(self.inbox.id).await.unwrap();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}

pub(crate) struct Client(Driven<Session>);

impl Client {
    /// Sends a line and hears what comes.
    pub(crate) async fn say(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n").as_bytes()).await
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) -> String {
        text(self.0.send(bytes).await)
    }

    /// TLS is up, with this binding.
    pub(crate) async fn secure(&mut self, binding: ChannelBinding) -> String {
        text(self.0.secure(Some(binding)).await)
    }

    /// Sends a line and asserts that the command is done with this tag; hears what came before its tagged response.
    pub(crate) async fn ok(&mut self, line: &str) -> String {
        let told = self.say(line).await;
        let tag = line.split(' ').next().unwrap_or_default();
        let (before, last) = told
            .rsplit_once(&format!("{tag} OK "))
            .unwrap_or_else(|| panic!("{line}: {told}"));
        assert!(last.matches("\r\n").count() == 1, "{line}: {told}");
        before.to_owned()
    }

    /// Appends a message with a literal that is not waited for.
    pub(crate) async fn append(&mut self, arguments: &str, message: &str) -> String {
        self.send(format!("a APPEND {arguments} {{{}+}}\r\n{message}\r\n", message.len()).as_bytes())
            .await
    }

    /// Waits for news and hears what is told.
    pub(crate) async fn listen(&mut self) -> String {
        text(self.0.listen(Duration::from_secs(5)).await.expect("there are news"))
    }

    /// Whether nothing happens for a moment.
    pub(crate) async fn hears_nothing(&mut self) -> bool {
        self.0.listen(Duration::from_millis(50)).await.is_none()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}

fn text(told: Vec<u8>) -> String {
    String::from_utf8(told).expect("these tests speak ASCII")
}
