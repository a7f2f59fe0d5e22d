//! For tests that compare with other implementations: judges messages against one name server.
//!
//! `judge 127.0.0.1:5353` reads lines `client address TAB EHLO TAB MAIL FROM (may be empty) TAB file`, and prints for each
//! `SPF TAB DMARC TAB ARC TAB DKIM,DKIM,…`.

use postroom_message::{SmtpPeer, Verifier};
use postroom_types::{EmailAddress, ReversePath};
use std::io::BufRead;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = std::env::args().nth(1).ok_or("usage: judge ADDRESS:PORT")?.parse()?;
    let verifier = Verifier::dns(&[server])?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let fields: Vec<&str> = line.split('\t').collect();
        let [ip, client, sender, file] = fields.as_slice() else {
            return Err(format!("not four fields: {line}").into());
        };
        let peer = SmtpPeer {
            ip: ip.parse()?,
            client: (*client).to_owned(),
            hostname: "mail.example.test".to_owned(),
        };
        let reverse_path = match EmailAddress::parse(sender) {
            Ok(address) => ReversePath::Mailbox(address),
            Err(_) => ReversePath::Null,
        };
        let verdict = verifier
            .verify(&peer, &reverse_path, &std::fs::read(file)?.into())
            .await;
        let dkim: Vec<_> = verdict.dkim.iter().map(|one| one.result.to_string()).collect();
        println!(
            "{}\t{}\t{}\t{}",
            verdict.spf.result,
            verdict.dmarc.result,
            verdict.arc,
            dkim.join(",")
        );
    }
    Ok(())
}
