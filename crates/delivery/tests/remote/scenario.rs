//! A world and its mail, from a seed.

use crate::network::{Host, Net};
use crate::rng::Rng;
use postroom_testkit::remote::{Behaviour, Point, RemoteMx, Tls, Trouble};
use std::time::Duration;

const HOUR: u64 = 3_600;
const DOMAINS: [&str; 3] = ["one.example", "two.example", "three.example"];
const NAMES: [&str; 6] = ["ann", "bob", "cat", "dan", "gone", "full"];

/// A message and when it is accepted.
pub(crate) struct Mail {
    pub(crate) at: Duration,
    pub(crate) recipients: Vec<String>,
}

pub(crate) fn net(rng: &mut Rng) -> Net {
    let mut net = Net::new();
    for domain in DOMAINS {
        for number in 0..=rng.below(3) {
            let name = format!("mx{number}.{domain}");
            let host = host(rng, &name);
            net.add(domain, rng.pick(&[10, 20]), &name, host);
        }
        if rng.below(4) == 0 {
            net.down_until(domain, Duration::from_secs(rng.below(30) * HOUR));
        }
    }
    net
}

pub(crate) fn mail(rng: &mut Rng) -> Vec<Mail> {
    let mut mail: Vec<_> = (0..6).map(|_| one_mail(rng)).collect();
    mail.sort_by_key(|mail| mail.at);
    mail
}

fn one_mail(rng: &mut Rng) -> Mail {
    let mut recipients = Vec::new();
    for _ in 0..=rng.below(5) {
        let recipient = format!("{}@{}", rng.pick(&NAMES), rng.pick(&DOMAINS));
        if !recipients.contains(&recipient) {
            recipients.push(recipient);
        }
    }
    Mail {
        at: Duration::from_secs(rng.below(20 * HOUR)),
        recipients,
    }
}

fn host(rng: &mut Rng, name: &str) -> Host {
    let seed = rng.next();
    let plan: Box<dyn Fn(u64, Duration) -> Behaviour + Send + Sync> = match rng.below(8) {
        0 => return Host::Refuses,
        1 => return Host::Silent,
        // Always the same trouble.
        2 => Box::new(move |_, _| behaviour(&mut Rng::new(seed))),
        // Trouble until it is mended.
        3 => {
            let mended = Duration::from_secs(rng.below(140) * HOUR);
            Box::new(move |number, at| {
                if at < mended {
                    behaviour(&mut Rng::new(seed ^ number))
                } else {
                    Behaviour::default()
                }
            })
        }
        4 => Box::new(|_, _| Behaviour::default()),
        // Something else each time.
        _ => Box::new(move |number, _| behaviour(&mut Rng::new(seed ^ number))),
    };
    Host::Server(RemoteMx::new(name, move |number, at| plan(number as u64, at)))
}

/// One connection in four is good.
fn behaviour(rng: &mut Rng) -> Behaviour {
    let trouble = (rng.below(4) > 0).then(|| {
        let point = rng.pick(&Point::ALL);
        let trouble = match rng.below(10) {
            0 => Trouble::Silence,
            1 | 2 => Trouble::HangUp,
            3 => Trouble::EndlessReply,
            4 => Trouble::LongLine,
            5 => Trouble::Nonsense,
            // Rare, for it ends a recipient's story.
            6 => Trouble::Reply(rng.pick(&[554, 550, 451])),
            _ => Trouble::Reply(rng.pick(&[421, 450, 451, 452])),
        };
        (point, trouble)
    });
    Behaviour {
        pipelining: rng.below(3) > 0,
        tls: rng.pick(&[
            Tls::None,
            Tls::None,
            Tls::None,
            Tls::Good,
            Tls::WrongName,
            Tls::Garbage,
            Tls::Cut,
            Tls::Silence,
            Tls::Injected,
        ]),
        trouble,
        greylist: (rng.below(4) == 0).then(|| Duration::from_secs(rng.below(60) * 60)),
        messages: rng.pick(&[1, 2, usize::MAX]),
        idle: Duration::from_secs(rng.pick(&[1, 3, 300])),
    }
}
