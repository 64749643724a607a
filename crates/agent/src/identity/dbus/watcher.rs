//! What to do about what the bus says. A pure state machine; [`super`] carries out its steps.
//!
//! Rules: a signal is only a hint, whoever sent it. Token and address are taken from nothing but
//! the answer to `GetJwtToken`, and only when the sender of that answer owns the service's name.
//! While nobody owns it, nothing is dialled: the address is that of a proxy on a local port, and
//! when its process is gone, another one's may be listening there.

use std::time::Duration;

use tokio::time::Instant;

use crate::backoff::Backoff;
use crate::identity::{Authorization, Credentials, Token};
use crate::server_url::{PlainHttp, ServerUrl};

/// Time for the service to answer, as in mender-connect.
pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// The service is asked for a new token at most this often. Each fetch makes mender-client drop
/// its proxy and every connection through it.
const FETCH_INTERVAL: Duration = Duration::from_secs(300);

/// What to do next.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// Call `GetJwtToken` and tell [`Watcher::asked`] when.
    Ask,
    /// Call `FetchJwtToken`; its answer does not matter, since a signal follows it.
    Fetch,
    /// This is now the state of affairs.
    Publish(Authorization),
}

pub(super) struct Watcher {
    plain_http: PlainHttp,
    /// Unique name of whoever owns the service's name.
    owner: Option<String>,
    question: Question,
    /// This owner has sent a signal. Until it has, an empty answer only says that it is starting.
    hinted: bool,
    /// A hint came while a question was under way: its answer may already be out of date.
    ask_again: bool,
    backoff: Backoff,
    current: Authorization,
    refused: Option<Token>,
    last_fetch: Option<Instant>,
}

#[derive(Clone, Copy, PartialEq)]
enum Question {
    None,
    /// Under way; gives up at this time.
    Asked(Instant),
    /// Failed; to be asked again at this time.
    Retry(Instant),
}

impl Watcher {
    pub(super) fn new(plain_http: PlainHttp) -> Self {
        Self {
            plain_http,
            owner: None,
            question: Question::None,
            hinted: false,
            ask_again: false,
            backoff: Backoff::new(Duration::from_secs(5), Duration::from_secs(60)),
            current: Authorization::Unknown,
            refused: None,
            last_fetch: None,
        }
    }

    /// When [`Self::due`] has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.question {
            Question::None => None,
            Question::Asked(at) | Question::Retry(at) => Some(at),
        }
    }

    /// The service's name has a new owner, or none.
    pub(super) fn owner_changed(&mut self, owner: &str) -> Vec<Step> {
        self.backoff.reset();
        self.hinted = false;
        self.ask_again = false;
        self.question = Question::None;
        if owner.is_empty() {
            self.owner = None;
            log::info!("the authentication service has left the D-Bus");
            return match self.current {
                Authorization::Granted(_) => self.publish(Authorization::Unknown),
                Authorization::Unknown | Authorization::Denied => Vec::new(),
            };
        }
        self.owner = Some(owner.to_owned());
        vec![Step::Ask]
    }

    /// `JwtTokenStateChange` came from `sender`.
    pub(super) fn hinted(&mut self, sender: &str) -> Vec<Step> {
        if self.owner.as_deref() != Some(sender) {
            return Vec::new();
        }
        self.hinted = true;
        self.want_answer()
    }

    /// The server does not take the current token.
    pub(super) fn refused(&mut self) -> Vec<Step> {
        let Authorization::Granted(credentials) = &self.current else {
            return Vec::new();
        };
        self.refused = Some(credentials.token.clone());
        self.want_answer()
    }

    fn want_answer(&mut self) -> Vec<Step> {
        if matches!(self.question, Question::Asked(_)) {
            self.ask_again = true;
            return Vec::new();
        }
        vec![Step::Ask]
    }

    /// `GetJwtToken` has been sent.
    pub(super) fn asked(&mut self, now: Instant) {
        self.question = Question::Asked(now + CALL_TIMEOUT);
        self.ask_again = false;
    }

    /// `GetJwtToken` was answered by `sender`.
    pub(super) fn answered(
        &mut self,
        sender: &str,
        token: &str,
        url: &str,
        now: Instant,
    ) -> Vec<Step> {
        if self.owner.as_deref() != Some(sender) {
            log::warn!("ignoring a token from {sender}, which does not own the service's name");
            return self.failed("answer from somebody else", now);
        }
        self.backoff.reset();
        self.question = Question::None;
        let authorization = self.judge(token, url);
        let mut steps = Vec::new();
        if self.is_to_be_replaced(&authorization, now) {
            log::info!("the server does not take the token: asking the service for a new one");
            self.last_fetch = Some(now);
            steps.push(Step::Fetch);
        }
        self.refused = None;
        steps.append(&mut self.publish(authorization));
        if std::mem::take(&mut self.ask_again) {
            steps.push(Step::Ask);
        }
        steps
    }

    /// `GetJwtToken` failed. What is known stays; a service that is there is asked again.
    pub(super) fn failed(&mut self, reason: &str, now: Instant) -> Vec<Step> {
        log::warn!("cannot get the token from the authentication service: {reason}");
        self.question = match self.owner {
            Some(_) => Question::Retry(now + self.backoff.next_delay()),
            None => Question::None,
        };
        Vec::new()
    }

    /// To be called at [`Self::deadline`].
    pub(super) fn due(&mut self, now: Instant) -> Vec<Step> {
        match self.question {
            Question::Asked(at) if at <= now => self.failed("no answer", now),
            Question::Retry(at) if at <= now => vec![Step::Ask],
            Question::None | Question::Asked(_) | Question::Retry(_) => Vec::new(),
        }
    }

    /// The bus itself is gone, and with it every way to know.
    pub(super) fn disconnected(&mut self) -> Vec<Step> {
        self.owner_changed("")
    }

    /// An empty token or address means that the device is not authorised, when a signal said so.
    /// The first answer of a service that has just started may be empty too; like mender-connect,
    /// the agent then waits for the signal, and shells survive the restart.
    fn judge(&self, token: &str, url: &str) -> Authorization {
        if token.is_empty() || url.is_empty() {
            return if self.hinted {
                Authorization::Denied
            } else {
                Authorization::Unknown
            };
        }
        let server = match ServerUrl::parse(url, self.plain_http) {
            Ok(server) => server,
            Err(error) => {
                log::error!("the authentication service names a server that is not used: {error}");
                return Authorization::Denied;
            }
        };
        match Token::new(token) {
            Some(token) => Authorization::Granted(Credentials { token, server }),
            None => {
                log::error!("the authentication service gave a token that cannot be sent");
                Authorization::Denied
            }
        }
    }

    fn is_to_be_replaced(&self, authorization: &Authorization, now: Instant) -> bool {
        let rested = self
            .last_fetch
            .is_none_or(|last| now - last >= FETCH_INTERVAL);
        match authorization {
            Authorization::Granted(new) => rested && self.refused.as_ref() == Some(&new.token),
            Authorization::Unknown | Authorization::Denied => false,
        }
    }

    fn publish(&mut self, new: Authorization) -> Vec<Step> {
        if self.current == new {
            return Vec::new();
        }
        match &new {
            Authorization::Granted(new) => log::debug!("authorized for {}", new.server),
            Authorization::Denied => log::info!("the device is not authorized"),
            Authorization::Unknown => {}
        }
        self.current = new.clone();
        vec![Step::Publish(new)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "http://127.0.0.1:3000";

    fn granted(token: &str, url: &str) -> Authorization {
        Authorization::Granted(Credentials {
            token: Token::new(token).unwrap(),
            server: ServerUrl::parse(url, PlainHttp::Anywhere).unwrap(),
        })
    }

    /// A watcher whose service `:1.1` has given the token `t1`.
    fn authorized() -> (Watcher, Instant) {
        let now = Instant::now();
        let mut watcher = Watcher::new(PlainHttp::ToThisMachine);
        assert_eq!(watcher.owner_changed(":1.1"), [Step::Ask]);
        watcher.asked(now);
        assert_eq!(
            watcher.answered(":1.1", "t1", URL, now),
            [Step::Publish(granted("t1", URL))]
        );
        assert_eq!(watcher.deadline(), None);
        (watcher, now)
    }

    #[test]
    fn item_44_a_signal_makes_it_ask_and_the_answer_counts() {
        let (mut watcher, now) = authorized();
        assert_eq!(watcher.hinted(":1.1"), [Step::Ask]);
        watcher.asked(now);
        assert_eq!(watcher.answered(":1.1", "t1", URL, now), []);
        assert_eq!(watcher.hinted(":1.1"), [Step::Ask]);
        watcher.asked(now);
        let other = "http://127.0.0.1:3001";
        assert_eq!(
            watcher.answered(":1.1", "t2", other, now),
            [Step::Publish(granted("t2", other))]
        );
    }

    #[test]
    fn item_44_an_empty_token_or_address_denies() {
        for (token, url) in [("", ""), ("", URL), ("t2", "")] {
            let (mut watcher, now) = authorized();
            watcher.hinted(":1.1");
            watcher.asked(now);
            assert_eq!(
                watcher.answered(":1.1", token, url, now),
                [Step::Publish(Authorization::Denied)]
            );
        }
    }

    #[test]
    fn only_the_owner_of_the_name_is_listened_to() {
        let (mut watcher, now) = authorized();
        assert_eq!(watcher.hinted(":1.66"), []);
        watcher.hinted(":1.1");
        watcher.asked(now);
        assert_eq!(watcher.answered(":1.66", "evil", "https://evil", now), []);
        // The question stays open and is asked again.
        let at = watcher.deadline().unwrap();
        assert_eq!(watcher.due(at), [Step::Ask]);
    }

    #[test]
    fn a_plain_address_elsewhere_and_an_unsendable_token_are_not_taken() {
        for (token, url) in [("t2", "http://10.0.0.1"), ("t2", "nonsense"), ("t\n2", URL)] {
            let (mut watcher, now) = authorized();
            watcher.asked(now);
            let steps = watcher.answered(":1.1", token, url, now);
            assert_eq!(steps, [Step::Publish(Authorization::Denied)], "{url}");
        }
        let (mut watcher, now) = authorized();
        watcher.asked(now);
        let steps = watcher.answered(":1.1", "t2", "https://mender.example.com", now);
        assert_eq!(
            steps,
            [Step::Publish(granted("t2", "https://mender.example.com"))]
        );
    }

    #[test]
    fn hints_during_a_question_cause_one_more() {
        let (mut watcher, now) = authorized();
        assert_eq!(watcher.hinted(":1.1"), [Step::Ask]);
        watcher.asked(now);
        assert_eq!(watcher.hinted(":1.1"), []);
        assert_eq!(watcher.hinted(":1.1"), []);
        assert_eq!(watcher.answered(":1.1", "t1", URL, now), [Step::Ask]);
        watcher.asked(now);
        assert_eq!(watcher.answered(":1.1", "t1", URL, now), []);
    }

    #[test]
    fn item_44_a_restarting_service_stops_dialling_and_ends_nothing() {
        let (mut watcher, now) = authorized();
        assert_eq!(
            watcher.owner_changed(""),
            [Step::Publish(Authorization::Unknown)]
        );
        assert_eq!(watcher.hinted(":1.1"), []);
        assert_eq!(watcher.deadline(), None);
        assert_eq!(watcher.owner_changed(":1.2"), [Step::Ask]);
        watcher.asked(now);
        assert_eq!(
            watcher.answered(":1.2", "t1", URL, now),
            [Step::Publish(granted("t1", URL))]
        );
    }

    #[test]
    fn item_44_a_service_that_starts_without_a_token_denies_only_by_signal() {
        let (mut watcher, now) = authorized();
        watcher.owner_changed("");
        watcher.owner_changed(":1.2");
        watcher.asked(now);
        assert_eq!(watcher.answered(":1.2", "", "", now), []);
        watcher.hinted(":1.2");
        watcher.asked(now);
        assert_eq!(
            watcher.answered(":1.2", "", "", now),
            [Step::Publish(Authorization::Denied)]
        );
    }

    #[test]
    fn a_silent_service_is_asked_again_ever_more_slowly() {
        let (mut watcher, mut now) = authorized();
        let mut waits = Vec::new();
        for _ in 0..8 {
            watcher.asked(now);
            now += CALL_TIMEOUT;
            assert_eq!(watcher.deadline(), Some(now));
            assert_eq!(watcher.due(now), []);
            let retry = watcher.deadline().unwrap();
            waits.push(retry - now);
            now = retry;
            assert_eq!(watcher.due(now), [Step::Ask]);
        }
        assert!(waits[0] <= Duration::from_secs(5));
        assert!(waits[7] >= Duration::from_secs(30) && waits[7] <= Duration::from_secs(60));
        assert_eq!(watcher.current, granted("t1", URL));
    }

    #[test]
    fn without_a_service_nobody_is_asked_until_it_comes() {
        let now = Instant::now();
        let mut watcher = Watcher::new(PlainHttp::ToThisMachine);
        watcher.asked(now);
        assert_eq!(watcher.failed("no such service", now), []);
        assert_eq!(watcher.deadline(), None);
    }

    #[test]
    fn a_refused_token_is_read_again_and_only_then_replaced() {
        let (mut watcher, now) = authorized();
        assert_eq!(watcher.refused(), [Step::Ask]);
        watcher.asked(now);
        assert_eq!(watcher.answered(":1.1", "t1", URL, now), [Step::Fetch]);

        // Again at once: read, but not fetched.
        assert_eq!(watcher.refused(), [Step::Ask]);
        watcher.asked(now);
        assert_eq!(watcher.answered(":1.1", "t1", URL, now), []);

        let later = now + FETCH_INTERVAL;
        watcher.refused();
        watcher.asked(later);
        assert_eq!(watcher.answered(":1.1", "t1", URL, later), [Step::Fetch]);

        // Replaced meanwhile: nothing to fetch.
        let later = later + FETCH_INTERVAL;
        watcher.refused();
        watcher.asked(later);
        assert_eq!(
            watcher.answered(":1.1", "t2", URL, later),
            [Step::Publish(granted("t2", URL))]
        );
    }
}
