//! The course of an own identity under simulated time, against a scripted server.

use std::collections::VecDeque;
use std::sync::Mutex;

use hyper::StatusCode;
use tokio::sync::watch;

use super::lease::tests::jwt;
use super::*;
use crate::identity::{Identity, channel};
use crate::server_url::PlainHttp;

/// Answers in order, the last one for ever; notes when it was asked.
#[derive(Clone)]
struct Script {
    answers: Arc<Mutex<VecDeque<(u16, String)>>>,
    asked: watch::Sender<Vec<Instant>>,
}

impl Script {
    fn new(answers: &[(u16, &str)]) -> Self {
        let answers = answers
            .iter()
            .map(|(status, body)| (*status, (*body).to_owned()))
            .collect();
        Self {
            answers: Arc::new(Mutex::new(answers)),
            asked: watch::Sender::new(Vec::new()),
        }
    }

    fn count(&self) -> usize {
        self.asked.borrow().len()
    }

    /// Waits for the `count`th question and says how long after the first it came.
    async fn until_asked(&self, count: usize) -> Duration {
        let mut asked = self.asked.subscribe();
        let times = asked.wait_for(|asked| asked.len() >= count).await.unwrap();
        times[count - 1] - times[0]
    }
}

impl AuthService for Script {
    async fn ask(&self, _: AuthRequest) -> Result<Answer, HttpError> {
        self.asked.send_modify(|asked| asked.push(Instant::now()));
        let mut answers = self.answers.lock().unwrap();
        let (status, body) = match answers.len() {
            1 => answers[0].clone(),
            _ => answers.pop_front().unwrap(),
        };
        if status == 0 {
            return Err(HttpError::Timeout);
        }
        let status = StatusCode::from_u16(status).unwrap();
        Ok(Answer {
            status,
            retry_after: None,
            body: body.into_bytes(),
        })
    }
}

fn server() -> ServerUrl {
    ServerUrl::parse("https://h", PlainHttp::ToThisMachine).unwrap()
}

/// Starts an identity in `folder`; it ends when the returned guard is dropped.
fn start(folder: &Path, script: &Script) -> (Identity, tokio_util::sync::DropGuard) {
    std::fs::write(folder.join("identity.json"), r#"{"serial":"1"}"#).unwrap();
    let own = OwnIdentity::open(folder, server(), script.clone()).unwrap();
    assert!(own.fingerprint().starts_with("SHA256:"));
    let (publisher, identity) = channel();
    let shutdown = CancellationToken::new();
    tokio::spawn(own.run(publisher, shutdown.clone()));
    (identity, shutdown.drop_guard())
}

async fn granted(identity: &Identity, token: &Token) {
    let mut follower = identity.authorization.clone();
    let waited = follower.wait_for(
        |now| matches!(now, Authorization::Granted(credentials) if credentials.token == *token),
    );
    waited.await.unwrap();
}

fn week(token: &str) -> Token {
    jwt(&format!(
        r#"{{"iat":1800000000,"exp":1800604800,"jti":"{token}"}}"#
    ))
}

#[tokio::test(start_paused = true)]
async fn it_asks_ever_more_slowly_until_it_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let token = week("a");
    let mut answers = vec![(401, r#"{"error":"dev auth: unauthorized"}"#); 10];
    answers.push((200, token.expose()));
    let script = Script::new(&answers);
    let (identity, _end) = start(folder.path(), &script);
    granted(&identity, &token).await;
    // Waits of at most 2, 4, 8, 16 and then 30 seconds, and at least half of that.
    let took = script.until_asked(11).await;
    assert!(
        took > Duration::from_secs(105) && took <= Duration::from_secs(210),
        "{took:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_away_ends_nothing_that_was_granted() {
    let folder = tempfile::tempdir().unwrap();
    let first = week("a");
    let script = Script::new(&[
        (200, first.expose()),
        (0, ""),
        (503, ""),
        (200, week("b").expose()),
    ]);
    let (identity, _end) = start(folder.path(), &script);
    granted(&identity, &first).await;
    let mut changes = identity.authorization.clone();
    changes.mark_unchanged();
    changes.changed().await.unwrap();
    // The next thing heard is the new token, four days or more later: no denial in between.
    granted(&identity, &week("b")).await;
    assert_eq!(script.count(), 4);
    let renewed = script.until_asked(2).await;
    assert!(renewed >= Duration::from_secs(453_600), "{renewed:?}");
    assert!(renewed <= Duration::from_secs(544_321), "{renewed:?}");
}

#[tokio::test(start_paused = true)]
async fn item_31_a_refused_token_is_replaced_at_once_and_a_rejection_denies() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (week("a"), week("b"));
    let script = Script::new(&[(200, first.expose()), (200, second.expose()), (401, "")]);
    let (identity, _end) = start(folder.path(), &script);
    granted(&identity, &first).await;
    tokio::time::advance(FRESH).await;
    identity.report_refused(&first);
    granted(&identity, &second).await;
    assert!(script.until_asked(2).await < FRESH + Duration::from_secs(1));

    tokio::time::advance(FRESH).await;
    identity.report_refused(&second);
    let mut follower = identity.authorization.clone();
    follower
        .wait_for(|now| *now == Authorization::Denied)
        .await
        .unwrap();
    assert!(!folder.path().join("token.json").exists());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_refuses_its_own_tokens_is_not_hammered() {
    let folder = tempfile::tempdir().unwrap();
    let tokens: Vec<_> = (0..12).map(|n| week(&n.to_string())).collect();
    let answers: Vec<_> = tokens.iter().map(|token| (200, token.expose())).collect();
    let script = Script::new(&answers);
    let (identity, _end) = start(folder.path(), &script);
    for token in &tokens {
        granted(&identity, token).await;
        identity.report_refused(token);
    }
    // Waits of at least half of 1, 2, 4, 8, 16, 32, 60, 60, …
    assert!(script.until_asked(12).await > Duration::from_secs(150));
}

#[tokio::test(start_paused = true)]
async fn a_restarted_agent_connects_without_asking() {
    let folder = tempfile::tempdir().unwrap();
    // Valid by the real clock, which is what a token on disk is held against.
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let token = jwt(&format!(r#"{{"iat":{now},"exp":{}}}"#, now + 600_000));
    let script = Script::new(&[(200, token.expose())]);
    let (identity, end) = start(folder.path(), &script);
    granted(&identity, &token).await;
    drop(end);
    identity
        .authorization
        .clone()
        .wait_for(|_| false)
        .await
        .unwrap_err();

    let silent = Script::new(&[(0, "")]);
    let (identity, _end) = start(folder.path(), &silent);
    granted(&identity, &token).await;
    assert_eq!(silent.count(), 0);
}

#[tokio::test]
async fn two_agents_do_not_share_an_identity() {
    let folder = tempfile::tempdir().unwrap();
    let script = Script::new(&[(0, "")]);
    let _first = OwnIdentity::open(folder.path(), server(), script.clone()).unwrap();
    let second = OwnIdentity::open(folder.path(), server(), script);
    assert!(matches!(second, Err(OpenError::InUse(_))));
}
