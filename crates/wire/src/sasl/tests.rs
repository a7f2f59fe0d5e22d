use super::*;
use postroom_types::ScramParameters;
use proptest::prelude::*;
use std::sync::Arc;

const BINDING: ChannelBinding = ChannelBinding([7; 32]);

fn parameters() -> Arc<ScramParameters> {
    Arc::new(ScramParameters {
        salt: base64_decode(b"W22ZaJ0SNY7soEsUEjb6gQ==").unwrap(),
        iterations: 4096,
    })
}

/// A connection whose TLS has that binding.
fn authenticator(binding: Option<ChannelBinding>) -> Authenticator {
    let mut authenticator = Authenticator::new(Some(ScramOptions {
        parameters: parameters(),
        seed: Secret::new([1; 32]),
    }));
    authenticator.tls_up(binding);
    authenticator
}

fn start(mechanism: Mechanism, text: &str) -> Result<(Exchange, Progress), SaslError> {
    authenticator(None).start(mechanism, Some(base64_encode(text.as_bytes()).as_bytes()))
}

fn say(exchange: &mut Exchange, text: &str) -> Result<Progress, SaslError> {
    exchange.respond(base64_encode(text.as_bytes()).as_bytes())
}

fn verify(authorization: Option<&str>, user: &str, password: &str) -> Result<Progress, SaslError> {
    Ok(Progress::Verify(Credentials {
        authorization: authorization.map(str::to_owned),
        user: user.to_owned(),
        evidence: Evidence::Password(Secret::new(password.to_owned())),
    }))
}

#[test]
fn what_is_offered() {
    let names = |authenticator: &Authenticator| authenticator.mechanisms().map(Mechanism::name).collect::<Vec<_>>();
    let shown = ["OAUTHBEARER", "XOAUTH2", "PLAIN", "LOGIN"];
    assert_eq!(names(&Authenticator::new(None)), shown);
    let hidden = [&["SCRAM-SHA-256"][..], &shown].concat();
    assert_eq!(names(&authenticator(None)), hidden);
    assert_eq!(
        names(&authenticator(Some(BINDING))),
        [&["SCRAM-SHA-256-PLUS"][..], &hidden].concat()
    );
    assert_eq!(authenticator(None).find(b"plain"), Some(Mechanism::Plain));
    assert_eq!(authenticator(None).find(b"SCRAM-SHA-256-PLUS"), None);
    assert_eq!(authenticator(None).find(b"GSSAPI"), None);
}

#[test]
fn plain_in_one_response() {
    let check = |text: &str, expected: Result<Progress, SaslError>| {
        assert_eq!(
            start(Mechanism::Plain, text).map(|(_, progress)| progress),
            expected,
            "{text:?}"
        );
    };
    check("\0tim\0tanstaaftanstaaf", verify(None, "tim", "tanstaaftanstaaf"));
    check("Ursel\0Kurt\0xipj3plmq", verify(Some("Ursel"), "Kurt", "xipj3plmq"));
    check("\0a@b\0\u{e9}", verify(None, "a@b", "\u{e9}"));
    check("\0tim\0", verify(None, "tim", ""));
    for bad in ["", "tim", "\0tim", "\0tim\0a\0b", "\0\0a", "\0t\tim\0a"] {
        check(bad, Err(SaslError::Malformed));
    }
    let not_utf8 = authenticator(None).start(Mechanism::Plain, Some(base64_encode(b"\0tim\0\xff").as_bytes()));
    assert_eq!(not_utf8.map(|_| ()), Err(SaslError::Malformed));
}

#[test]
fn login_asks_twice() {
    let (mut exchange, first) = authenticator(None).start(Mechanism::Login, None).unwrap();
    assert_eq!(first, Progress::Challenge("VXNlcm5hbWU6".to_owned()));
    assert_eq!(
        exchange.respond(b"dGlt"),
        Ok(Progress::Challenge("UGFzc3dvcmQ6".to_owned()))
    );
    assert_eq!(exchange.respond(b"c2VjcmV0"), verify(None, "tim", "secret"));
    assert_eq!(exchange.accepted(None), Progress::Success);
}

#[test]
fn the_outside_decides_and_only_once() {
    let (mut exchange, _) = start(Mechanism::Plain, "\0tim\0x").unwrap();
    assert_eq!(exchange.refused(), Progress::Failure);
    assert_eq!(exchange.accepted(None), Progress::Failure);
    let (mut exchange, _) = start(Mechanism::Plain, "\0tim\0x").unwrap();
    assert_eq!(exchange.respond(b""), Err(SaslError::Malformed));
    let (mut asked, _) = authenticator(None).start(Mechanism::Plain, None).unwrap();
    assert_eq!(asked.accepted(None), Progress::Failure);
}

#[test]
fn nobody_acts_as_another() {
    let wants = |authorization: Option<&str>| {
        let Ok(Progress::Verify(credentials)) = verify(authorization, "tim@b", "x") else {
            panic!("made so")
        };
        credentials.wants_another()
    };
    assert_eq!(
        [None, Some("tim@b"), Some("Tim@B"), Some("tom@b")].map(wants),
        [false, false, false, true]
    );
}

#[test]
fn cancelling_and_bad_base64() {
    for mechanism in Mechanism::ALL {
        let begin = || authenticator(Some(BINDING)).start(mechanism, None).unwrap().0;
        assert_eq!(begin().respond(b"*"), Err(SaslError::Cancelled));
        assert_eq!(begin().respond(b"%%%%"), Err(SaslError::Base64));
        assert_eq!(begin().respond(b"="), Err(SaslError::Base64));
    }
    let empty = authenticator(None).start(Mechanism::Plain, Some(b"="));
    assert_eq!(empty.map(|_| ()), Err(SaslError::Malformed));
}

#[test]
fn a_refused_token_is_told_why_and_answered() {
    let response = "n,a=user@example.com,\x01auth=Bearer x\x01\x01";
    for last in [&b"AQ=="[..], b"*", b"", b"%"] {
        let (mut exchange, _) = start(Mechanism::OauthBearer, response).unwrap();
        let told = base64_encode(br#"{"status":"invalid_token"}"#);
        assert_eq!(exchange.refused(), Progress::Challenge(told));
        assert_eq!(exchange.respond(last), Ok(Progress::Failure));
        assert_eq!(exchange.respond(b""), Err(SaslError::Malformed), "over is over");
    }
    let (mut exchange, _) = start(Mechanism::OauthBearer, response).unwrap();
    assert_eq!(exchange.accepted(None), Progress::Success);
}

/// The server's nonce is that of RFC 7677 §3; ours come out of the seed.
fn rfc7677(plus: bool, binding: Option<ChannelBinding>) -> Exchange {
    Exchange(Step::ScramFirst(scram::First {
        parameters: parameters(),
        nonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0".to_owned(),
        plus,
        binding,
    }))
}

const FIRST: &str = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
const NONCE: &str = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
const PROOF: &str = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";

#[test]
fn the_exchange_of_rfc_7677() {
    let mut exchange = rfc7677(false, None);
    let second = format!("r={NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
    assert_eq!(say(&mut exchange, FIRST), Ok(challenge(&second)));
    let last = say(&mut exchange, &format!("c=biws,r={NONCE},p={PROOF}"));
    let expected = ScramProof {
        auth_message: format!("n=user,r=rOprNGfwEbeRWgbNEkqO,{second},c=biws,r={NONCE}").into_bytes(),
        proof: base64_decode(PROOF.as_bytes()).unwrap().try_into().unwrap(),
    };
    let expected = Credentials {
        authorization: None,
        user: "user".to_owned(),
        evidence: Evidence::Scram(expected),
    };
    assert_eq!(last, Ok(Progress::Verify(expected)));
    let signature = base64_decode(b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=").unwrap();
    assert_eq!(
        exchange.accepted(Some(&signature.try_into().unwrap())),
        challenge("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
    );
    assert_eq!(exchange.respond(b""), Ok(Progress::Success));
    assert_eq!(exchange.respond(b""), Err(SaslError::Malformed));
}

#[test]
fn a_client_that_does_not_believe_us_is_not_in() {
    let agree = |last: &[u8]| {
        let mut exchange = rfc7677(false, None);
        say(&mut exchange, FIRST).unwrap();
        say(&mut exchange, &format!("c=biws,r={NONCE},p={PROOF}")).unwrap();
        exchange.accepted(Some(&[0; 32]));
        exchange.respond(last)
    };
    assert_eq!(agree(b""), Ok(Progress::Success));
    assert_eq!(agree(b"*"), Err(SaslError::Cancelled));
    assert_eq!(agree(b"AAAA"), Err(SaslError::Malformed));
    // Nor is one that was not proved to.
    let mut exchange = rfc7677(false, None);
    say(&mut exchange, FIRST).unwrap();
    say(&mut exchange, &format!("c=biws,r={NONCE},p={PROOF}")).unwrap();
    assert_eq!(exchange.accepted(None), Progress::Failure);
}

#[test]
fn first_messages() {
    let check = |text: &str, expected: Result<(), SaslError>| {
        assert_eq!(say(&mut rfc7677(false, None), text).map(|_| ()), expected, "{text:?}");
    };
    check("n,a=admin,n=a=2Cb=3Dc@d,r=x", Ok(()));
    check("y,,n=user,r=x", Ok(()));
    check("n,,n=user,r=x,e=optional", Ok(()));
    check(&format!("n,,n=user,r={}", "x".repeat(256)), Ok(()));
    check("p=tls-exporter,,n=user,r=x", Err(SaslError::ChannelBinding));
    for bad in [
        "",
        "n,,",
        "n,,n=,r=x",
        "n,,n=user",
        "n,,n=user,r=",
        "n,,r=x,n=user",
        "n,,n=user,r=x y",
        "n,,n=us\u{1}er,r=x",
        "n,,n=us=er,r=x",
        "n,,m=must,n=user,r=x",
        "n,,n=user,r=x,m=must",
        "n,,n=user,r=x,",
        "n,,n=user,r=x,e",
        "n,,n=user,r=\u{e4}",
    ] {
        check(bad, Err(SaslError::Malformed));
    }
    check(&format!("n,,n=user,r={}", "x".repeat(257)), Err(SaslError::Malformed));
}

#[test]
fn final_messages() {
    let check = |text: &str, expected: Result<(), SaslError>| {
        let mut exchange = rfc7677(false, None);
        say(&mut exchange, FIRST).unwrap();
        assert_eq!(say(&mut exchange, text).map(|_| ()), expected, "{text:?}");
    };
    check(&format!("c=biws,r={NONCE},x=y,p={PROOF}"), Ok(()));
    // `y,,` where the first message said `n,,`.
    check(&format!("c=eSws,r={NONCE},p={PROOF}"), Err(SaslError::ChannelBinding));
    check(&format!("c=,r={NONCE},p={PROOF}"), Err(SaslError::ChannelBinding));
    for bad in [
        String::new(),
        "*".to_owned(),
        format!("c=biws,r={NONCE}"),
        format!("c=biws,r={NONCE},p="),
        format!("c=biws,r={NONCE},p=AAAA"),
        format!("c=biws,r={NONCE},p={PROOF},x=y"),
        format!("c=biws,r={NONCE}x,p={PROOF}"),
        format!("c=biws,r=rOprNGfwEbeRWgbNEkqO,p={PROOF}"),
        format!("r={NONCE},c=biws,p={PROOF}"),
        format!("c=biws,r={NONCE},m=x,p={PROOF}"),
        format!("c=biws,p={PROOF}"),
    ] {
        check(&bad, Err(SaslError::Malformed));
    }
}

#[test]
fn channel_bindings() {
    // RFC 5802 §6, by mechanism, what the connection has, and what the client says.
    let check = |plus, binding, flag: &str, expected: Result<(), SaslError>| {
        let said = say(&mut rfc7677(plus, binding), &format!("{flag},,n=user,r=x"));
        assert_eq!(said.map(|_| ()), expected, "{plus} {flag}");
    };
    let refused = Err(SaslError::ChannelBinding);
    check(true, Some(BINDING), "p=tls-exporter", Ok(()));
    check(true, Some(BINDING), "p=tls-unique", refused);
    check(true, Some(BINDING), "n", refused);
    check(true, Some(BINDING), "y", refused);
    check(false, Some(BINDING), "n", Ok(()));
    check(false, Some(BINDING), "p=tls-exporter", refused);
    // Somebody took the mechanism with a binding off the list.
    check(false, Some(BINDING), "y", refused);
    check(false, None, "y", Ok(()));

    let bound = |octet: u8| {
        let mut exchange = rfc7677(true, Some(BINDING));
        say(&mut exchange, "p=tls-exporter,,n=user,r=rOprNGfwEbeRWgbNEkqO").unwrap();
        let channel = base64_encode(&[b"p=tls-exporter,,".as_slice(), &[octet; 32]].concat());
        say(&mut exchange, &format!("c={channel},r={NONCE},p={PROOF}")).map(|_| ())
    };
    assert_eq!((bound(7), bound(8)), (Ok(()), refused));
}

#[test]
fn no_nonce_twice() {
    let mut authenticator = authenticator(None);
    let first = base64_encode(FIRST.as_bytes());
    let mut nonce = || match authenticator.start(Mechanism::ScramSha256, Some(first.as_bytes())) {
        Ok((_, Progress::Challenge(text))) => text,
        other => panic!("{other:?}"),
    };
    assert_ne!(nonce(), nonce());
}

proptest! {
    /// Whatever a client says, an exchange ends within the rounds of the longest mechanism.
    #[test]
    fn any_words_end_an_exchange(
        which in 0..Mechanism::ALL.len(),
        words in prop::collection::vec(
            prop_oneof![
                Just(FIRST.to_owned()),
                Just(format!("c=biws,r={NONCE},p={PROOF}")),
                Just("n,,\x01auth=Bearer x\x01\x01".to_owned()),
                "[ny],,n=[a=,]{0,4},r=[!-~]{0,9}",
                "\\PC{0,20}",
            ],
            5,
        ),
    ) {
        let (mut exchange, _) = authenticator(Some(BINDING)).start(Mechanism::ALL[which], None).unwrap();
        let mut rounds = 0;
        for word in &words {
            let over = match say(&mut exchange, word) {
                Ok(Progress::Challenge(_)) => false,
                Ok(Progress::Verify(_)) => !matches!(exchange.refused(), Progress::Challenge(_)),
                Ok(Progress::Success | Progress::Failure) | Err(_) => true,
            };
            if over {
                break;
            }
            rounds += 1;
        }
        prop_assert!(rounds <= 2);
    }
}
