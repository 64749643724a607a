import type { LucideIcon } from 'lucide-react';
import type { ReactNode } from 'react';
import classes from './Nothing.module.css';

/** What is shown in the place of a list that is empty: why, and what to do next. */
export function Nothing(props: { icon: LucideIcon; text: string; children: ReactNode }) {
  const Icon = props.icon;
  return (
    <div className={classes.nothing}>
      <Icon size={22} aria-hidden />
      <p>{props.text}</p>
      {props.children}
    </div>
  );
}
