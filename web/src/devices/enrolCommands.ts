/** What to type on a device so that it asks the server at `url` to be accepted. */
export function agentCommand(url: string): string {
  const insecure = needsInsecureHttp(url) ? ' \\\n  --insecure-http' : '';
  return `longwire-agent daemon --server ${url} \\\n  --data-dir ~/.longwire-agent${insecure}`;
}

export function menderConfig(url: string): string {
  return JSON.stringify({ ServerURL: url }, null, 2);
}

/** Plain http is refused by the agent unless it stays on the machine or is wished for. */
export function needsInsecureHttp(url: string): boolean {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    return false;
  }
  return (
    parsed.protocol === 'http:' && !/^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(parsed.hostname)
  );
}
