import { CopyButton } from '../layout/Copy.tsx';
import classes from './Fingerprint.module.css';
import { fingerprintGroups } from './facts.ts';

/** A key's fingerprint, cut into groups for comparing; copied whole. */
export function Fingerprint({ value, tone }: { value: string; tone?: 'old' | 'new' }) {
  const { algorithm, groups } = fingerprintGroups(value);
  return (
    <span className={classes.fingerprint} data-tone={tone}>
      <code>
        <span className="visually-hidden">Fingerprint </span>
        <span className={classes.algorithm}>{algorithm}:</span>
        {groups.map((group, at) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the groups of one fingerprint never move
          <span key={at}>{group}</span>
        ))}
      </code>
      <CopyButton text={value} what="fingerprint" />
    </span>
  );
}
