/** What the pages say about a session, and what one may do with it. */
import type { Me, Permission, Session } from '../api/types.ts';

export function isMine(session: Session, me: Me | undefined): boolean {
  return session.owner.id === me?.id;
}

/** What a session is called: by its title, or by the beginning of its id. */
export function sessionName(session: Session): string {
  return session.title || `Session ${session.id.slice(0, 8)}`;
}

export type SessionAct = 'resume' | 'takeOver' | 'watch' | 'end';

/** What is offered to a person, most wanted first. The server decides anew each time. */
export function actsFor(session: Session, me: Me | undefined): SessionAct[] {
  if (!me || session.state === 'ending') return [];
  const mine = isMine(session, me);
  const may = (permission: Permission) =>
    me.permissions.includes(mine ? 'device.connect' : permission);
  const acts: SessionAct[] = [];
  const controlled = session.viewers.some(({ control }) => control);
  if (may('session.control')) acts.push(mine && !controlled ? 'resume' : 'takeOver');
  if (may('session.watch') && session.state === 'attached') acts.push('watch');
  if (may('session.end')) acts.push('end');
  return acts;
}

/** Where a session is opened; the address is good for a reload and for a colleague with the right. */
export function sessionPath(session: Session, act: Exclude<SessionAct, 'end'>): string {
  const how = { resume: '', takeOver: '?take', watch: '?watch' }[act];
  return `/devices/${session.device_id}/terminal/${session.id}${how}`;
}
