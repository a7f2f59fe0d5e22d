//! What mailboxes are filled with.

use crate::common::message;
use crate::naive::ReadMessage;
use postroom_mailstore::{NewMessage, Origin};
use std::sync::{Arc, LazyLock};

type Sample = (NewMessage, Arc<ReadMessage>);

/// The messages of [`contents`] without and with a prefix.
pub(crate) static POOL: LazyLock<Vec<[Sample; 2]>> = LazyLock::new(|| {
    let make = |content: String| {
        let with_prefix = message(&content);
        let mut without = with_prefix.clone();
        without.prefix.clear();
        [without, with_prefix].map(|mut message| {
            let read = ReadMessage::new([message.prefix.as_slice(), &message.body].concat());
            message.summary = Arc::new(read.summary.clone());
            message.origin = Origin::Imported;
            (message, Arc::new(read))
        })
    };
    contents().into_iter().map(make).collect()
});

/// Messages of all kinds: as they stand, encoded, of several parts, enclosed, broken.
fn contents() -> Vec<String> {
    let long_list: Vec<String> = (0..300).map(|number| format!("r{number}@example.org")).collect();
    let long_header = "x".repeat(20_000);
    let multipart = "Subject: Re: [list] parts\r\nFrom: Ann <ann@example.net>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
        preamble hidden\r\n--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\ncaf=E9 soft=\r\nbreak\r\n\
        --b\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n\
        Subject: inner =?utf-8?q?caf=C3=A9?=\r\n\r\ninside\r\n--b--\r\nepilogue hidden\r\n";
    vec![
        "Subject: hello\r\nFrom: Ann Bee <ann@example.net>\r\nTo: bob@example.org\r\nDate: Fri, 01 Dec 2023 23:30:00 -0500\r\nMessage-ID: <1@x>\r\n\r\nHello World\r\n".into(),
        "Subject: Re: hello\r\nFrom: \"Bob \\\"B\\\" C\" <bob@example.org>\r\nCc: friends: Ann <ann@example.net>, c@d;\r\nIn-Reply-To: <1@x>\r\nMessage-ID: <2@x>\r\n\r\nhello\r\nworld".into(),
        "Subject: =?utf-8?q?caf?=\r\n =?utf-8?q?=C3=A9?= time\r\nFrom: =?iso-8859-1?q?J=FCrgen?= <j@example.de>\r\nBcc:\r\nX-Empty:\r\n\r\nnothing\r\n".into(),
        "Subject: b64\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\nDate: rubbish\r\n\r\nSGVsbG8gY2Fmw6k=\r\n".into(),
        multipart.into(),
        "From: a@b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\nDate: 30 Nov 2023 01:00:00 +0900\r\n\r\naGVsbG8=\r\n".into(),
        "\r\n".into(),
        "no header at all\r\n\r\nhello".into(),
        "Subject: raw caf\u{e9}\r\nTo: <x@y>\r\n\r\nraw h\u{c9}llo\r\n".into(),
        format!("To: {}\r\nSubject: many\r\nReferences: <1@x> <2@x>\r\n\r\nhello\r\n", long_list.join(",\r\n ")),
        format!("X-Long: {long_header}\r\nSubject: long hello\r\nFrom: Ann <ann@example.net>\r\nTo: \"q\" <q@r>\r\n\r\nend\r\n"),
        format!("Subject: large\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n{}caf=C3=A9\r\n", "line =3D\r\n".repeat(140_000)),
        format!("Subject: large and plain\r\n\r\n{}hello at the end\r\n", "line\r\n".repeat(200_000)),
    ]
}
