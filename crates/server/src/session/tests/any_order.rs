//! What holds whatever happens in whatever order, as far as a device, operators and links can make it
//! happen. The device here is a model of a real agent: it keeps a slot until it is sent a `stop`, keeps
//! its shells when the link breaks, and loses what was under way.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use longwire_protocol::shell::{FromDevice, FromUser, Stop, text};
use longwire_protocol::{Message, Receiver, encode, limits, prop, proto};
use proptest::collection::vec;
use proptest::prelude::*;

use super::super::*;
use super::stage::settings;
use crate::ids::UserId;

/// Something that may happen. Numbers name viewers; there are few, so that things come together.
#[derive(Clone, Debug)]
enum Step {
    Attach(u8),
    New(u8),
    Type(u8, u16),
    UserStops(u8),
    UserLeaves(u8),
    /// The viewer's socket takes so many messages.
    Taken(u8, u8),
    /// The device deals with so many messages.
    DeviceWorks(u8),
    /// A shell on the device says so many bytes.
    Output(u8, u16),
    /// A shell on the device ends.
    Exit(u8),
    /// The device restarts: its shells are gone.
    Restart,
    LinkBreaks,
    LinkComes,
    Pass(u16),
    EndViewer(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let who = 0..5_u8;
    prop_oneof![
        3 => who.clone().prop_map(Step::Attach),
        4 => who.clone().prop_map(Step::New),
        4 => (who.clone(), 1..20_000_u16).prop_map(|(who, size)| Step::Type(who, size)),
        2 => who.clone().prop_map(Step::UserStops),
        2 => who.clone().prop_map(Step::UserLeaves),
        5 => (who.clone(), 1..80_u8).prop_map(|(who, count)| Step::Taken(who, count)),
        9 => (1..80_u8).prop_map(Step::DeviceWorks),
        6 => (who.clone(), 1..60_000_u16).prop_map(|(who, size)| Step::Output(who, size)),
        2 => who.clone().prop_map(Step::Exit),
        1 => Just(Step::Restart),
        2 => Just(Step::LinkBreaks),
        3 => Just(Step::LinkComes),
        3 => (1..20_000_u16).prop_map(Step::Pass),
        1 => who.prop_map(Step::EndViewer),
    ]
}

/// A shell of the modelled device.
#[derive(Default)]
struct Shell {
    exited: bool,
    /// What it got to read and what it wrote, as counted bytes.
    input: usize,
    output: usize,
}

#[derive(Default)]
struct Person {
    id: Option<ViewerId>,
    sid: String,
    typed: usize,
    seen: usize,
    started: bool,
}

struct World {
    now: Instant,
    sessions: DeviceSessions,
    people: BTreeMap<u8, Person>,
    user: UserId,
    up: bool,
    /// What was recorded.
    journal: BTreeMap<String, Vec<u8>>,
    shells: BTreeMap<String, Shell>,
    /// How many shells each session has had.
    starts: BTreeMap<String, usize>,
    /// Input bytes known to be lost with a link, so that equality cannot be asked for.
    lossy: bool,
    count: u64,
}

impl World {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            now,
            sessions: DeviceSessions::new(settings(now, "run")),
            people: BTreeMap::new(),
            user: UserId::new(),
            up: false,
            journal: BTreeMap::new(),
            shells: BTreeMap::new(),
            starts: BTreeMap::new(),
            lossy: false,
            count: 0,
        }
    }

    fn input(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let mut effects = Vec::new();
            self.sessions.handle(self.now, input, &mut effects);
            self.carry_out(effects, &mut inputs);
        }
    }

    fn carry_out(&mut self, effects: Vec<Effect>, inputs: &mut VecDeque<Input>) {
        for effect in effects {
            match effect {
                Effect::Commit(change) => {
                    let (change, ok) = (change.id, true);
                    inputs.push_back(Input::CommitDone { change, ok });
                }
                Effect::Append { seq, sid, entry } => {
                    if let Entry::Output { bytes, .. } = entry {
                        self.journal
                            .entry(sid)
                            .or_default()
                            .extend_from_slice(&bytes);
                    }
                    let trouble = Vec::new();
                    inputs.push_back(Input::Committed { seq, trouble });
                }
                Effect::ReadBack {
                    viewer,
                    sid,
                    from,
                    max,
                } => {
                    let all = self.journal.get(&sid).map_or(&[][..], Vec::as_slice);
                    let rest = all.get(from as usize..).unwrap();
                    let bytes = Bytes::copy_from_slice(&rest[..rest.len().min(max)]);
                    let found = ReadBack::Bytes(bytes);
                    inputs.push_back(Input::ReadBack {
                        viewer,
                        sid,
                        from,
                        found,
                    });
                }
                Effect::CutViewer(viewer, _) => {
                    for person in self.people.values_mut().filter(|p| p.id == Some(viewer)) {
                        *person = Person::default();
                    }
                }
                Effect::CutLink => {
                    self.up = false;
                    self.lossy = true;
                    inputs.push_back(Input::LinkDown);
                }
                Effect::Ask { .. } => panic!("plain ends ask for nothing"),
                Effect::OpenJournal(_) | Effect::CloseJournal { .. } | Effect::CloseLink(_) => {}
            }
        }
    }

    fn check_for_device(&self, message: &Message) {
        let packed = encode(message, Receiver::Device);
        assert!(packed.len() <= limits::AGENT_READ_LIMIT);
        if message.proto == proto::SHELL {
            let user = message.props.get_str(prop::USER_ID);
            assert_eq!(user, Some(self.user.to_string().as_str()));
        }
    }

    fn apply(&mut self, step: &Step) {
        match *step {
            Step::Attach(who) => {
                if self.up && self.people.entry(who).or_default().id.is_none() {
                    self.count += 1;
                    let viewer = ViewerId(self.count);
                    let person = Person {
                        id: Some(viewer),
                        ..Person::default()
                    };
                    self.people.insert(who, person);
                    self.input(Input::Attach {
                        viewer,
                        person: Owner::for_test(self.user),
                        kind: ViewerKind::Plain,
                    });
                }
            }
            Step::New(who) => {
                if let Some(person) = self.people.get_mut(&who) {
                    // Nothing is typed into a shell that has ended, whether that was seen or not, nor
                    // into one that has not started.
                    let shell = self.shells.get(&person.sid);
                    person.started &= shell.is_some_and(|shell| !shell.exited);
                }
                self.say(who, &FromUser::New { size: None });
            }
            Step::Type(who, size) => {
                let started = self.people.get(&who).is_some_and(|p| p.started);
                if started {
                    let input = Bytes::from(vec![b'i'; size.into()]);
                    self.people.get_mut(&who).unwrap().typed += input.len();
                    self.say(who, &FromUser::Input(input));
                }
            }
            Step::UserStops(who) => {
                self.say(who, &FromUser::Stop { error: None });
                if let Some(person) = self.people.get_mut(&who) {
                    person.started = false;
                }
            }
            Step::UserLeaves(who) => {
                if let Some(viewer) = self.people.remove(&who).and_then(|p| p.id) {
                    self.input(Input::ViewerGone(viewer));
                }
            }
            Step::Taken(who, count) => {
                self.take(who, count.into());
            }
            Step::DeviceWorks(count) => {
                self.device_works(count.into());
            }
            Step::Output(who, size) => {
                let sid = self.people.get(&who).map(|p| p.sid.clone());
                if let Some(sid) = sid
                    && self.up
                    && self.sessions.hears_device(self.now)
                    && let Some(shell) = self.shells.get_mut(&sid)
                    && !shell.exited
                {
                    shell.output += usize::from(size);
                    let output = FromDevice::Output(Bytes::from(vec![b'o'; size.into()]));
                    self.device_says(&output, &sid);
                }
            }
            Step::Exit(who) => {
                let sid = self.people.get(&who).map(|p| p.sid.clone());
                if let Some(sid) = sid
                    && let Some(shell) = self.shells.get_mut(&sid)
                    && !shell.exited
                {
                    shell.exited = true;
                    let stop = FromDevice::Stop(Stop {
                        error: true,
                        ..Stop::default()
                    });
                    self.device_says(&stop, &sid);
                }
            }
            Step::Restart => {
                self.link_breaks();
                self.shells.clear();
            }
            Step::LinkBreaks => self.link_breaks(),
            Step::LinkComes => {
                self.lossy |= self.up;
                self.up = true;
                self.input(Input::LinkUp {
                    kind: LinkKind::Plain,
                });
            }
            Step::Pass(millis) => self.pass(Duration::from_millis(millis.into())),
            Step::EndViewer(who) => {
                if let Some(viewer) = self.people.get(&who).and_then(|p| p.id) {
                    self.input(Input::EndViewer(viewer, EndReason::NotAllowed));
                }
            }
        }
    }

    fn say(&mut self, who: u8, what: &FromUser) {
        if let Some(viewer) = self.people.get(&who).and_then(|p| p.id) {
            let message = what.to_message("whatever");
            self.input(Input::FromViewer { viewer, message });
        }
    }

    fn device_says(&mut self, what: &FromDevice, sid: &str) {
        if self.up {
            self.input(Input::FromDevice(what.to_message(sid)));
        }
    }

    fn link_breaks(&mut self) {
        if self.up {
            self.up = false;
            self.lossy = true;
            self.input(Input::LinkDown);
        }
    }

    /// Says whether there was anything to take.
    fn take(&mut self, who: u8, count: usize) -> bool {
        let mut took = false;
        for _ in 0..count {
            let Some(viewer) = self.people.get(&who).and_then(|person| person.id) else {
                break;
            };
            let (mut effects, mut inputs) = (Vec::new(), VecDeque::new());
            let next = self.sessions.to_viewer(self.now, viewer, &mut effects);
            let asked = !effects.is_empty();
            self.carry_out(effects, &mut inputs);
            for input in inputs {
                self.input(input);
            }
            let message = match next {
                Some(ToViewer::Message(message)) => message,
                Some(ToViewer::Close(_)) => {
                    self.people.insert(who, Person::default());
                    self.input(Input::ViewerGone(viewer));
                    return true;
                }
                None if asked => continue,
                None => break,
            };
            took = true;
            let Some(person) = self.people.get_mut(&who) else {
                break;
            };
            let said = FromDevice::try_from(&message).unwrap();
            // Answers overtake what is still to be shown of the session before.
            if person.started && matches!(said, FromDevice::Output(_) | FromDevice::Stop(_)) {
                assert_eq!(message.sid, person.sid, "somebody else's message");
            }
            match said {
                FromDevice::Output(output) => person.seen += output.len(),
                FromDevice::Started => {
                    person.sid.clone_from(&message.sid);
                    (person.started, person.seen, person.typed) = (true, 0, 0);
                }
                FromDevice::Stop(_) => person.started = false,
                FromDevice::Refused(_)
                | FromDevice::InputFailed(_)
                | FromDevice::Ping { .. }
                | FromDevice::Failed { .. }
                | FromDevice::Delay { .. }
                | FromDevice::Resize(_) => {}
            }
        }
        took
    }

    /// Says whether there was anything to do.
    fn device_works(&mut self, count: usize) -> bool {
        let mut worked = false;
        for _ in 0..count {
            if !self.up {
                break;
            }
            let Some(message) = self.sessions.to_device(self.now) else {
                break;
            };
            worked = true;
            self.check_for_device(&message);
            self.device_hears(&message);
        }
        worked
    }

    fn device_hears(&mut self, message: &Message) {
        let sid = message.sid.clone();
        if message.proto != proto::SHELL {
            let pong = longwire_protocol::control::Control::Pong.to_message(&sid);
            if self.up {
                self.input(Input::FromDevice(pong));
            }
            return;
        }
        let known = self.shells.contains_key(&sid);
        match FromUser::try_from(message).unwrap() {
            FromUser::New { .. } if known => {
                let words = text::ALREADY_RUNNING.to_owned();
                self.device_says(&FromDevice::Refused(words), &sid);
            }
            FromUser::New { .. } => {
                self.shells.insert(sid.clone(), Shell::default());
                *self.starts.entry(sid.clone()).or_default() += 1;
                self.device_says(&FromDevice::Started, &sid);
            }
            FromUser::Input(input) => {
                if let Some(shell) = self.shells.get_mut(&sid) {
                    shell.input += input.len();
                } else {
                    let words = text::SESSION_NOT_FOUND.to_owned();
                    self.device_says(&FromDevice::InputFailed(words), &sid);
                }
            }
            FromUser::Stop { .. } => {
                assert!(
                    self.shells.remove(&sid).is_some() || self.lossy,
                    "a second stop for one end"
                );
                self.device_says(&FromDevice::Stop(Stop::default()), &sid);
            }
            FromUser::Resize(_) | FromUser::Pong => {}
            FromUser::Ack { .. } => panic!("acknowledgements are not for devices"),
        }
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.sessions.deadline(self.now).filter(|due| *due <= end) {
            self.now = due.max(self.now);
            self.input(Input::Tick);
            let next = self.sessions.deadline(self.now);
            assert!(next.is_none_or(|next| next > self.now), "still due: spins");
        }
        self.now = end;
    }

    /// Everybody does what they can until nothing is left to be done.
    fn calm_down(&mut self) {
        for _ in 0..100_000 {
            let mut busy = self.device_works(1000);
            for who in 0..5 {
                busy |= self.take(who, 1000);
            }
            if !busy {
                return;
            }
        }
        panic!("never calms down");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 150,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Nobody gets to hear anything that is not theirs or does not fit; queues keep to their bounds; no
    /// timer spins. In the end no shell is left on the device that nobody uses, and nothing is forgotten.
    #[test]
    fn no_shell_is_left_behind(steps in vec(step(), 1..120)) {
        let mut world = World::new();
        world.apply(&Step::LinkComes);
        for step in &steps {
            world.apply(step);
        }
        for who in 0..5 {
            world.apply(&Step::UserLeaves(who));
        }
        // What was lost with a link is said again over the next one.
        world.apply(&Step::LinkComes);
        world.calm_down();
        prop_assert!(world.shells.is_empty(), "left: {:?}", world.shells.keys());
        prop_assert_eq!(world.sessions.viewers(), 0);
        world.link_breaks();
        world.pass(AWAY_MAX);
        prop_assert!(world.sessions.is_empty());
    }

    /// While the link holds, whoever is still there has got every byte of their shell, and their shell
    /// every byte of theirs.
    #[test]
    fn no_byte_is_lost_while_the_link_holds(steps in vec(step(), 1..120)) {
        let mut world = World::new();
        world.apply(&Step::LinkComes);
        for step in &steps {
            // A stop overtakes what was typed and not sent.
            let breaks = matches!(
                step,
                Step::LinkBreaks | Step::LinkComes | Step::Restart | Step::UserStops(_)
            );
            if !breaks {
                world.apply(step);
            }
        }
        world.calm_down();
        if !world.lossy {
            for person in world.people.values() {
                let only = world.starts.get(&person.sid) == Some(&1);
                let shell = world.shells.get(&person.sid);
                if let Some(shell) = shell.filter(|shell| only && !shell.exited) {
                    prop_assert_eq!(person.seen, shell.output);
                    prop_assert_eq!(person.typed, shell.input);
                }
            }
        }
    }
}
