/** The numbers of `longwire.v1` (docs/protocol.md). Sizes in bytes, times in milliseconds. */

/** The websocket subprotocol by which both ends choose this stream. */
export const SUBPROTOCOL = 'longwire.v1';
/** Said in a hello. A peer with a higher version still speaks this one. */
export const VERSION = 1;
/** The largest body of a `shell` message in either direction. */
export const MAX_BODY = 32 * 1024;
/** The largest body of a `screen`. */
export const MAX_SCREEN = 1024 * 1024 - 4096;
/** How long a session id may be. */
export const MAX_SID = 64;
/** How long the name of an instance or of a feature may be. */
export const MAX_WORD = 64;
export const MAX_FEATURES = 64;
/** What a `shell` or `screen` message counts beside its body among the bytes under way. */
export const MESSAGE_COST = 64;
/** What has come in is reported at the latest after so many counted bytes. */
export const REPORT_AFTER = 16 * 1024;
/** An end that has heard nothing for so long asks. */
export const PING_AFTER_MS = 20_000;
/** An end that has heard nothing for so long gives the link up. */
export const DEAD_AFTER_MS = 60_000;
/** What a peer takes beyond what it has applied, if it does not say. */
export const INPUT_WINDOW = 64 * 1024;
/** The largest window that counts. */
export const MAX_WINDOW = 16 * 1024 * 1024;
/** Input that is kept until it is applied. */
export const INPUT_KEPT = 128 * 1024;
/** What is taken beyond `INPUT_KEPT` if an interrupt character is among it. */
export const INTERRUPT_RESERVE = 1024;
/** Input that waits is stamped no finer than this, so that it fills messages. */
export const STAMP_GRAIN_MS = 16;
/** Stamps kept; beyond, neighbours are merged. */
export const MAX_STAMPS = 1024;
/** Messages beside the stream that wait for one link. */
export const MAX_WAITING = 64;
