import { CircleAlert } from 'lucide-react';
import classes from './ErrorNote.module.css';

/** What went wrong, beside the thing that was tried; the API's own words where there are any. */
export function ErrorNote({ children }: { children: React.ReactNode }) {
  return (
    <div className={classes.note} role="alert">
      <CircleAlert size={17} aria-hidden />
      <span>{children}</span>
    </div>
  );
}
