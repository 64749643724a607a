/** The network between an agent and its server, as a walk wants it: there, or cut. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

export class Network {
  private readonly open = new Set<Socket>();
  private isCut = false;

  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {}

  static async before(target: string): Promise<Network> {
    const { hostname, port } = new URL(target);
    const server = createServer((near) => {
      if (proxy.isCut) {
        near.destroy();
        return;
      }
      const far = connect(Number(port), hostname);
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        proxy.open.add(from);
        from.on('error', () => to.destroy());
        from.on('close', () => {
          proxy.open.delete(from);
          to.destroy();
        });
        from.pipe(to);
      }
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    const proxy = new Network(server, `http://127.0.0.1:${address.port}`);
    return proxy;
  }

  /** Breaks every connection and lets no new one through. */
  cut(): void {
    this.isCut = true;
    for (const socket of this.open) socket.destroy();
  }

  mend(): void {
    this.isCut = false;
  }

  async stop(): Promise<void> {
    this.cut();
    this.server.close();
    await once(this.server, 'close');
  }
}
