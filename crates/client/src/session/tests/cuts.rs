//! Whatever happens to connections: every byte once, in order, in both directions.

use bytes::Bytes;
use longwire_protocol::shell::{Ended, Stop};

use super::server::{Server, turned_away};
use super::{Event, Start, Who, Wish, open, person};

/// Numbers from a seed.
struct Rng(u64);

impl Rng {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }
}

/// Bytes that are the same at no two offsets nearby.
fn numbered(from: u64, count: usize) -> Vec<u8> {
    (from..)
        .take(count)
        .map(|n| ((n % 251) ^ ((n >> 8) % 247)) as u8)
        .collect()
}

async fn byte_identical(seed: u64, who: Who) {
    const OUTPUT: usize = 1 << 20;
    const INPUT: usize = 60_000;
    let mut rng = Rng(seed);
    let server = Server::new(1 << (8 + rng.below(9)));
    {
        let mut truth = server.truth();
        truth.lives = (0..60).map(|_| rng.below(15)).collect();
        truth.failures = (0..8).map(|_| turned_away(503)).collect();
    }
    let wish = Wish {
        who,
        ..person(Start::New)
    };
    // The first connection is there, whatever comes after.
    let failures = std::mem::take(&mut server.truth().failures);
    let (session, mut events) = open(&server, &wish).await;
    server.truth().failures = failures;

    let typist = tokio::spawn({
        let (session, server) = (session.clone(), server.clone());
        let mut rng = Rng(seed + 1);
        async move {
            let (mut typed, mut shown) = (0, 0);
            while typed < INPUT || shown < OUTPUT {
                let count = (rng.below(3000) as usize + 1).min(INPUT - typed);
                let bytes = Bytes::from(numbered(typed as u64, count));
                typed += count;
                if !bytes.is_empty() {
                    session.input(bytes).await.unwrap();
                }
                let count = (rng.below(60_000) as usize + 1).min(OUTPUT - shown);
                server.change(|truth| truth.output.extend(numbered(shown as u64, count)));
                shown += count;
                tokio::time::sleep(std::time::Duration::from_millis(rng.below(50))).await;
            }
        }
    });
    let mut got = 0;
    let mut typist = Some(typist);
    let stop = Stop {
        reason: Some(Ended::Exited),
        exit_status: Some(7),
        ..Stop::default()
    };
    let ended = loop {
        match events.next().await.expect("an end") {
            Event::Output { bytes, upto, .. } => {
                assert!(
                    bytes == numbered(got as u64, bytes.len()),
                    "seed {seed}, offset {got}"
                );
                got += bytes.len();
                session.shown(upto).unwrap();
                if got == OUTPUT && server.truth().applied.len() == INPUT {
                    server.change(|truth| truth.stop = Some(stop.clone()));
                }
            }
            Event::Ended(stop) => break stop,
            event @ (Event::Closed(_) | Event::Unknown | Event::Refusal(_)) => {
                panic!("seed {seed}: {event:?}")
            }
            Event::InputHeld(_) => session.release_input().await.unwrap(),
            _ => {}
        }
        if got == OUTPUT
            && let Some(typist) = typist.take()
        {
            // Input has its own pace.
            typist.await.unwrap();
            let server = server.clone();
            let stop = stop.clone();
            tokio::spawn(async move {
                super::until("all input arrives", || {
                    server.truth().applied.len() == INPUT
                })
                .await;
                server.change(|truth| truth.stop = Some(stop));
            });
        }
    };
    assert_eq!(ended.exit_status, Some(7));
    assert_eq!(got, OUTPUT);
    assert!(events.next().await.is_none());
    let truth = server.truth();
    assert!(truth.applied == numbered(0, INPUT), "seed {seed}");
    assert!(truth.is_end_known);
    assert!(
        truth.connections > 20,
        "only {} connections",
        truth.connections
    );
}

#[tokio::test(start_paused = true)]
async fn every_byte_arrives_once_whatever_happens_to_connections() {
    for seed in [3, 17, 1234] {
        byte_identical(seed, Who::Person).await;
        byte_identical(seed + 1, Who::Script).await;
    }
}
