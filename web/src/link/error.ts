import { type Message, message, Proto } from '../protocol/message.ts';
import { encodeValue } from '../protocol/msgpack.ts';
import { DEAD_AFTER_MS } from './limits.ts';

/** Why a link is given up. Sessions live on; only the connection is of no more use. */
export class LinkError extends Error {
  override name = 'LinkError';

  static malformed(type: string, field: string): LinkError {
    return new LinkError(`${type}: missing or malformed ${field}`);
  }

  static tooMuch(what: string): LinkError {
    return new LinkError(`too many or too large: ${what}`);
  }

  static hole(sid: string, expected: number, offset: number): LinkError {
    return new LinkError(`session ${sid}: expected offset ${expected}, got ${offset}`);
  }

  static overWindow(sid: string): LinkError {
    return new LinkError(`session ${sid}: more than the window allows`);
  }

  static unexpected(sid: string, type: string): LinkError {
    return new LinkError(`session ${sid}: unexpected ${type}`);
  }

  static silent(): LinkError {
    return new LinkError(`nothing heard for ${DEAD_AFTER_MS / 1000} seconds`);
  }

  /** The last message before the connection is closed. */
  toMessage(): Message {
    const body = encodeValue(
      new Map<string, string | boolean>([
        ['err', this.message],
        ['close', true],
      ]),
    );
    return message(Proto.control, 'error', { body });
  }
}
