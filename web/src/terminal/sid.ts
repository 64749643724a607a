/** Ids of sessions that this page has asked for itself; any other is one to go on with. */
const ours = new Set<string>();

/** A fresh session id: a UUID, made without what browsers keep for https. */
export function freshSid(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  const sid = [8, 12, 16, 20, 32]
    .map((end, at) => hex.slice([0, 8, 12, 16, 20][at], end))
    .join('-');
  ours.add(sid);
  return sid;
}

/** Whether a session is to be opened. Said once: after that it is one to go on with. */
export function isFresh(sid: string): boolean {
  return ours.has(sid);
}

/** The session has been opened by this page, or has ended: from now on it is like any other. */
export function noLongerFresh(sid: string): void {
  ours.delete(sid);
}
