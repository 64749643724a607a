import type { ReactNode } from 'react';
import classes from './Card.module.css';

export function Card(props: {
  title: string;
  note?: string;
  children: ReactNode;
  aside?: ReactNode;
}) {
  return (
    <section className={classes.card}>
      <header>
        <div>
          <h2>{props.title}</h2>
          {props.note && <p>{props.note}</p>}
        </div>
        {props.aside}
      </header>
      {props.children}
    </section>
  );
}

/** Names and values in two columns, one below the other on a phone. */
export function Facts({ rows }: { rows: readonly (readonly [name: string, value: ReactNode])[] }) {
  return (
    <dl className={classes.facts}>
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
