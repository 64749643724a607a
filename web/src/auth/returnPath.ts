/** The way back after signing in, kept inside this site. */

export function signInPath(from: string): string {
  return from === '/' || from === '/devices'
    ? '/sign-in'
    : `/sign-in?next=${encodeURIComponent(from)}`;
}

/** Where to go after signing in; a `next` that could lead to another site is ignored. */
export function returnPath(search: string): string {
  const next = new URLSearchParams(search).get('next');
  // "//host" and "/\host" are addresses of other sites to a browser.
  return next && /^\/(?![/\\])/.test(next) && !next.startsWith('/sign-in') ? next : '/devices';
}
