//! What a server sends back when it took a message and could not deliver it after all (RFC 3464).

use super::Taken;

impl Taken {
    /// The notice that comes later, to [`reverse_path`](Self::reverse_path) and from `<>`: `status` says why, for example
    /// `5.2.2`.
    #[must_use]
    pub fn late_dsn(&self, host: &str, status: &str) -> Vec<u8> {
        let (message_id, recipient, to) = (&self.message_id, &self.recipient, &self.reverse_path);
        let lines = [
            format!("From: Mail Delivery System <mailer-daemon@{host}>"),
            format!("To: <{to}>"),
            "Subject: Undelivered Mail Returned to Sender".to_owned(),
            format!("Message-ID: <late.{message_id}>"),
            "Auto-Submitted: auto-replied".to_owned(),
            "MIME-Version: 1.0".to_owned(),
            "Content-Type: multipart/report; report-type=delivery-status; boundary=\"b\"".to_owned(),
            String::new(),
            "--b".to_owned(),
            String::new(),
            format!("Your message to {recipient} could not be delivered."),
            "--b".to_owned(),
            "Content-Type: message/delivery-status".to_owned(),
            String::new(),
            format!("Reporting-MTA: dns; {host}"),
            String::new(),
            format!("Final-Recipient: rfc822; {recipient}"),
            "Action: failed".to_owned(),
            format!("Status: {status}"),
            "Diagnostic-Code: smtp; 552 the mailbox behind us said no".to_owned(),
            "--b".to_owned(),
            "Content-Type: text/rfc822-headers".to_owned(),
            String::new(),
            format!("Message-ID: <{message_id}>"),
            "--b--".to_owned(),
            String::new(),
        ];
        lines.join("\r\n").into_bytes()
    }
}
