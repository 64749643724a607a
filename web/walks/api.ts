/** What a walk does behind the page's back: an operator's API calls, and devices that only ask. */
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { PERSON } from './programs.ts';

export class Operator {
  private constructor(
    private readonly url: string,
    private readonly token: string,
  ) {}

  static async signIn(url: string): Promise<Operator> {
    const basic = Buffer.from(`${PERSON.email}:${PERSON.password}`).toString('base64');
    const response = await fetch(`${url}/api/management/v1/useradm/auth/login`, {
      method: 'POST',
      headers: { Authorization: `Basic ${basic}` },
    });
    if (!response.ok)
      throw new Error(`sign-in failed: ${response.status} ${await response.text()}`);
    return new Operator(url, await response.text());
  }

  async call(method: string, path: string, body?: unknown): Promise<Response> {
    const response = await fetch(`${this.url}/api/management${path}`, {
      method,
      headers: {
        Authorization: `Bearer ${this.token}`,
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok)
      throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response;
  }

  async devices(
    status: string,
  ): Promise<{ id: string; auth_sets: { id: string; status: string }[] }[]> {
    return (await this.call('GET', `/v2/devauth/devices?status=${status}`)).json();
  }

  async sessions(): Promise<{ id: string; state: string }[]> {
    return (await this.call('GET', '/v1/longwire/sessions')).json();
  }

  /** Ends every live session, so that one walk leaves nothing to the next. */
  async endSessions(deadlineMs = 30_000): Promise<void> {
    const until = Date.now() + deadlineMs;
    for (;;) {
      const live = await this.sessions();
      if (live.length === 0) return;
      if (Date.now() > until) throw new Error(`sessions do not end: ${JSON.stringify(live)}`);
      for (const { id } of live.filter(({ state }) => state !== 'ending')) {
        await this.call('DELETE', `/v1/longwire/sessions/${id}`).catch((error: Error) => {
          // It has ended by itself in between.
          if (!error.message.includes(': 404')) throw error;
        });
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Accepts the first device that asks; waits for one. */
  async acceptFirst(deadlineMs = 30_000): Promise<string> {
    const until = Date.now() + deadlineMs;
    for (;;) {
      const [device] = await this.devices('pending');
      const key = device?.auth_sets.find((set) => set.status === 'pending');
      if (device && key) {
        await this.accept(device.id, key.id);
        return device.id;
      }
      if (Date.now() > until) throw new Error('no device asked to be accepted');
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** Gives a device the name people know it by. */
  async name(deviceId: string, name: string): Promise<void> {
    await this.call('PUT', `/v1/inventory/devices/${deviceId}/tags`, [
      { name: 'name', value: name },
    ]);
  }

  async accept(deviceId: string, authSetId: string): Promise<void> {
    await this.call('PUT', `/v2/devauth/devices/${deviceId}/auth/${authSetId}/status`, {
      status: 'accepted',
    });
  }
}

/** A device that is nothing but a key: enough to stand in a list. */
export class PaperDevice {
  private readonly privateKey: KeyObject;
  private readonly publicPem: string;
  /** As server, agent and CLI show it. */
  readonly fingerprint: string;

  constructor(private readonly identity: Record<string, string>) {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    this.privateKey = privateKey;
    this.publicPem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
    const der = publicKey.export({ type: 'spki', format: 'der' });
    const digest = createHash('sha256').update(der).digest('base64');
    this.fingerprint = `SHA256:${digest.replace(/=+$/, '')}`;
  }

  /** Asks to be accepted; the device's token if it is, `undefined` if not yet. */
  async ask(url: string): Promise<string | undefined> {
    const body = JSON.stringify({ id_data: JSON.stringify(this.identity), pubkey: this.publicPem });
    const response = await fetch(`${url}/api/devices/v1/authentication/auth_requests`, {
      method: 'POST',
      body,
      headers: {
        'Content-Type': 'application/json',
        'X-MEN-Signature': sign(null, Buffer.from(body), this.privateKey).toString('base64'),
      },
    });
    if (response.status === 401) return undefined;
    if (!response.ok) throw new Error(`auth request: ${response.status} ${await response.text()}`);
    return response.text();
  }

  /** Tells its inventory, once accepted. */
  async tell(url: string, attributes: Record<string, string>): Promise<void> {
    const token = await this.ask(url);
    const response = await fetch(`${url}/api/devices/v1/inventory/device/attributes`, {
      method: 'PUT',
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
      body: JSON.stringify(Object.entries(attributes).map(([name, value]) => ({ name, value }))),
    });
    if (!response.ok) throw new Error(`inventory: ${response.status} ${await response.text()}`);
  }
}
