import { Keyboard } from 'lucide-react';
import classes from './Face.module.css';

/** Two letters for a person: "anna.keller@…" is AK. */
export function initials(name: string): string {
  const words = (name.split('@')[0] ?? '').split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  const [first = '?', second] = words;
  return (second ? first.charAt(0) + second.charAt(0) : first.slice(0, 2)).toUpperCase();
}

/** One of six quiet colours, the same for a person everywhere. */
function hue(name: string): number {
  let mixed = 0x811c9dc5;
  for (const char of name) mixed = Math.imul(mixed ^ (char.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  return (mixed >>> 8) % 6;
}

/** A person, with a mark if they are in control. */
export function Face({ name, control }: { name: string; control: boolean }) {
  return (
    <span className={classes.face} data-hue={hue(name)} data-control={control || undefined}>
      <span aria-hidden>{initials(name)}</span>
      {control && (
        <span className={classes.mark}>
          <Keyboard size={9} strokeWidth={2.6} aria-hidden />
        </span>
      )}
    </span>
  );
}
