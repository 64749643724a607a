/** The real server and agent as processes of a walk: own folder, free port, ended with it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';

const repository = path.resolve(import.meta.dirname, '../..');

export const PERSON = { email: 'admin@example.org', password: 'correct horse battery staple' };

function program(name: string, variable: string): string {
  const file = process.env[variable] ?? path.join(repository, 'target/debug', name);
  if (!existsSync(file)) {
    throw new Error(`${file} is missing: run \`cargo build -p ${name}\` or set ${variable}`);
  }
  return file;
}

/** A running program whose output is kept, to be waited on and to be shown when a walk fails. */
export class Program {
  private readonly lines: string[] = [];
  private readonly waiting = new Set<() => void>();
  private ended: number | string | undefined;

  constructor(
    private readonly name: string,
    private readonly process: ChildProcess,
  ) {
    for (const stream of [process.stdout, process.stderr]) {
      if (!stream) continue;
      createInterface({ input: stream }).on('line', (line) => {
        this.lines.push(line);
        this.wake();
      });
    }
    process.on('exit', (code, signal) => {
      this.ended = code ?? signal ?? 'unknown';
      this.wake();
    });
  }

  static start(name: string, file: string, args: string[]): Program {
    const child = spawn(file, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return new Program(name, child);
  }

  /** The first match in the output, as soon as there is one. */
  async says(pattern: RegExp, deadlineMs = 30_000): Promise<RegExpMatchArray> {
    const until = Date.now() + deadlineMs;
    for (;;) {
      for (const line of this.lines) {
        const match = line.match(pattern);
        if (match) return match;
      }
      if (this.ended !== undefined)
        throw this.failure(`ended (${this.ended}) before saying ${pattern}`);
      const left = until - Date.now();
      if (left <= 0) throw this.failure(`did not say ${pattern}`);
      await this.somethingNew(left);
    }
  }

  get output(): string {
    return this.lines.join('\n');
  }

  async stop(): Promise<void> {
    if (this.ended !== undefined) return;
    const gone = once(this.process, 'exit');
    this.process.kill('SIGTERM');
    const hard = setTimeout(() => this.process.kill('SIGKILL'), 15_000);
    await gone;
    clearTimeout(hard);
  }

  /** Ends it without a chance to say anything, as a power cut does. */
  async kill(): Promise<void> {
    if (this.ended !== undefined) return;
    const gone = once(this.process, 'exit');
    this.process.kill('SIGKILL');
    await gone;
  }

  private somethingNew(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.waiting.delete(done);
        resolve();
      };
      const timer = setTimeout(done, withinMs);
      this.waiting.add(done);
    });
  }

  private wake(): void {
    for (const each of [...this.waiting]) each();
  }

  private failure(what: string): Error {
    return new Error(`${this.name} ${what}\n${this.output}`);
  }
}

/** A server with one administrator, and everything that hangs on it. */
export class Fleet {
  private readonly agents: Program[] = [];

  private constructor(
    readonly url: string,
    private readonly folder: string,
    private server: Program,
  ) {}

  static async start(): Promise<Fleet> {
    const folder = mkdtempSync(path.join(tmpdir(), 'longwire-walk-'));
    const data = path.join(folder, 'server');
    const server = Fleet.serve(data, '127.0.0.1:0');
    const [, url = ''] = await server.says(/^listening on (http:\/\/\S+)$/);
    const fleet = new Fleet(url, folder, server);
    await fleet.addPerson(PERSON.email, PERSON.password, 'admin');
    await fleet.assertCurrentPages();
    return fleet;
  }

  private static serve(data: string, listen: string): Program {
    return Program.start('longwire-server', program('longwire-server', 'LONGWIRE_SERVER'), [
      'serve',
      '--listen',
      listen,
      '--data-dir',
      data,
    ]);
  }

  async stopServer(): Promise<void> {
    await this.server.stop();
  }

  async killServer(): Promise<void> {
    await this.server.kill();
  }

  /** Starts the server again: same data, same address. */
  async startServer(): Promise<void> {
    this.server = Fleet.serve(path.join(this.folder, 'server'), new URL(this.url).host);
    await this.server.says(/^listening on /);
  }

  /** Adds an account straight in the data folder, as an administrator would. */
  async addPerson(email: string, password: string, role: string): Promise<void> {
    const file = program('longwire-server', 'LONGWIRE_SERVER');
    const data = path.join(this.folder, 'server');
    const child = spawn(
      file,
      ['user', 'add', email, '--role', role, '--password-stdin', '--data-dir', data],
      { stdio: ['pipe', 'pipe', 'pipe'] },
    );
    const adding = new Program('longwire-server user add', child);
    child.stdin.end(`${password}\n`);
    const [code] = await once(child, 'exit');
    if (code !== 0) throw new Error(`longwire-server user add failed (${code}):\n${adding.output}`);
  }

  /**
   * Starts an agent that asks to be accepted. Without a `mac` it takes this machine's identity;
   * with one, several can run side by side. `url`: where it finds the server, if not directly.
   */
  startAgent(mac?: string, url = this.url): Program {
    const data = path.join(this.folder, `agent-${mac ?? 'own'}`);
    mkdirSync(data, { recursive: true, mode: 0o700 });
    // Whatever this machine has configured for a real agent is none of a walk's business, nor are
    // the start-up files of whoever runs it: they may read what is typed, and take any time.
    const config = path.join(data, 'agent.conf');
    writeFileSync(
      config,
      JSON.stringify({ ShellCommand: '/bin/bash', ShellArguments: ['--noprofile', '--norc'] }),
    );
    if (mac) {
      writeFileSync(path.join(data, 'identity.json'), JSON.stringify({ mac }), { mode: 0o600 });
    }
    const agent = Program.start('longwire-agent', program('longwire-agent', 'LONGWIRE_AGENT'), [
      'daemon',
      '--server',
      url,
      '--data-dir',
      data,
      '--config',
      config,
      '--fallback-config',
      config,
    ]);
    this.agents.push(agent);
    return agent;
  }

  async stop(): Promise<void> {
    await Promise.all(this.agents.map((agent) => agent.stop()));
    await this.server.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  get serverOutput(): string {
    return this.server.output;
  }

  /** A walk through yesterday's pages would prove nothing. */
  private async assertCurrentPages(): Promise<void> {
    const built = readFileSync(path.join(repository, 'web/dist/index.html'), 'utf8');
    const served = await (await fetch(`${this.url}/`)).text();
    if (built !== served) {
      throw new Error(
        'the server holds other pages than web/dist: run `npm run build`, then `cargo build -p longwire-server`',
      );
    }
  }
}
