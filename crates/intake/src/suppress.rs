//! Addresses that an organization is not to write to again: those at which nobody takes its mail, and those that complained
//! of it. They come onto its block list, as entries that stay.
//!
//! What always holds: this comes after the commit that ends the recipient, and as best it can. What a crash loses is found
//! out by the next message, which fares as the last one did; to put it into that commit, the queue would have to know lists.

use crate::Intake;
use postroom_identity::Listed;
use postroom_message::ReportKind;
use postroom_queue::{ItemId, ItemState, RecipientStatus};
use std::collections::BTreeSet;

impl Intake {
    /// Looks at recipients of whom something bad was heard.
    pub async fn note_failures(&self, items: &[ItemId]) {
        let messages: BTreeSet<_> = items.iter().map(|item| item.message).collect();
        for message in messages {
            let recipients = match self.queue.recipients(message).await {
                Ok(recipients) => recipients,
                Err(error) => {
                    tracing::warn!(msg = %message, %error, "cannot look at recipients that failed");
                    continue;
                }
            };
            for recipient in recipients.iter().filter(|recipient| items.contains(&recipient.id)) {
                if let Some(why) = why_never_again(recipient) {
                    self.suppress(recipient, &why).await;
                }
            }
        }
    }

    async fn suppress(&self, recipient: &RecipientStatus, why: &str) {
        let address = &recipient.address;
        // Whether there is an inbox here is known without trying.
        if self.identity.is_local(address.domain()) {
            return;
        }
        let (Some(sender), Some(name)) = (recipient.sender, Listed::address(address)) else {
            return;
        };
        let done = match self.identity.inbox(sender).await {
            Ok(inbox) => self.identity.suppress(inbox.organization, &name, why).await,
            Err(error) => Err(error),
        };
        match done {
            Ok(_) => tracing::info!(msg = %recipient.id.message, to = %address, reason = why, "suppressed"),
            Err(error) => tracing::warn!(msg = %recipient.id.message, to = %address, %error, "not suppressed"),
        }
    }
}

/// Why no further mail is to go there; `None` if the next message may fare better.
fn why_never_again(recipient: &RecipientStatus) -> Option<String> {
    let reports = recipient.reports.iter();
    let mut reported = reports.filter_map(|report| match report.kind {
        ReportKind::Complaint => Some("complaint".to_owned()),
        ReportKind::Failed if is_of_the_address(0, &report.status) => {
            Some(format!("bounced: {} {}", report.status, report.diagnostic))
        }
        _ => None,
    });
    let reason = &recipient.reason;
    let bounced = recipient.state == ItemState::Bounced && is_of_the_address(reason.code, &reason.status);
    let bounced = bounced.then(|| format!("bounced: {} {}", reason.code, reason.text));
    bounced.or_else(|| reported.next())
}

/// Whether a failure is one of the address itself (RFC 3463 §3.2, §3.3), and not of this message, of its sender or of the
/// way there. Without an enhanced code that says so, the reply to RCPT does (RFC 5321 §4.2.3).
fn is_of_the_address(code: u16, status: &str) -> bool {
    match status {
        "" | "5.0.0" => matches!(code, 550 | 551 | 553),
        status => status.starts_with("5.1.") || status == "5.2.1",
    }
}

#[cfg(test)]
mod tests {
    use super::is_of_the_address;

    #[test]
    fn what_is_of_the_address() {
        for (code, status, expected) in [
            (550, "5.1.1", true),
            (0, "5.1.10", true),
            (550, "5.2.1", true),
            (550, "5.0.0", true),
            (553, "", true),
            (554, "5.0.0", false),
            (550, "5.7.1", false),
            (552, "5.2.2", false),
            (554, "5.4.6", false),
            (0, "4.1.1", false),
            (0, "", false),
        ] {
            assert_eq!(is_of_the_address(code, status), expected, "{code} {status}");
        }
    }
}
