//! One operator's end, as its driver knows it.

use std::collections::VecDeque;

use longwire_protocol::Message;

use crate::access::{self, Role, SessionAct};
use crate::auth::Principal;
use crate::gateway::pipe::Pipe;
use crate::ids::{DeviceId, UserId};
use crate::session::{Input, ViewerId};

/// Grants remembered of one end; the oldest are decided anew when they are asked for.
const GRANTS_MAX: usize = 64;

/// An operator's end.
pub(super) struct Seat {
    pub(super) principal: Principal,
    pub(super) pipe: Pipe,
    /// What it said that its sessions have no room for yet. It has paid for it, so that this is bounded.
    said: VecDeque<(Message, u32)>,
    /// What it was allowed to do with sessions.
    grants: VecDeque<Grant>,
}

/// Something that was allowed.
pub(super) struct Grant {
    pub(super) sid: String,
    pub(super) owner: UserId,
    pub(super) act: SessionAct,
}

impl Seat {
    pub(super) fn new(principal: Principal, pipe: Pipe) -> Self {
        Self {
            principal,
            pipe,
            said: VecDeque::new(),
            grants: VecDeque::new(),
        }
    }

    pub(super) fn says(&mut self, message: Message, cost: u32) {
        self.said.push_back((message, cost));
    }

    /// What it said next, which it may now say more for.
    pub(super) fn next(&mut self) -> Option<Message> {
        let (message, cost) = self.said.pop_front()?;
        self.pipe.refund(cost);
        Some(message)
    }

    pub(super) fn has_said(&self) -> bool {
        !self.said.is_empty()
    }

    pub(super) fn grant(&mut self, grant: Grant) {
        let same = |one: &Grant| one.sid == grant.sid && one.act == grant.act;
        self.grants.retain(|one| !same(one));
        if self.grants.len() == GRANTS_MAX {
            self.grants.pop_front();
        }
        self.grants.push_back(grant);
    }

    /// Its operator has other roles now: takes back what these do not allow.
    pub(super) fn lose(
        &mut self,
        viewer: ViewerId,
        device: DeviceId,
        roles: Vec<Role>,
    ) -> Vec<Input> {
        self.principal.roles = roles;
        let principal = &self.principal;
        let mut lost = Vec::new();
        self.grants.retain(|grant| {
            let still = access::require_session(principal, grant.act, device, grant.owner).is_ok();
            if !still {
                let sid = grant.sid.clone();
                match grant.act {
                    SessionAct::Control => lost.push(Input::LoseControl { viewer, sid }),
                    SessionAct::See | SessionAct::Watch => {
                        lost.push(Input::LoseSight { viewer, sid });
                    }
                    // That was done once.
                    SessionAct::End => {}
                }
            }
            still
        });
        lost
    }
}
