import { Button } from '@mantine/core';
import { CloudOff } from 'lucide-react';
import { Link, useRouteError } from 'react-router';
import { ApiError } from '../api/errors.ts';
import classes from './Trouble.module.css';
import { usePageTitle } from './usePageTitle.ts';

/** What is shown in the place of something that could not be loaded. */
export function Trouble(props: { error: unknown; onRetry?: () => void; what?: string }) {
  const { error, onRetry, what } = props;
  const text = error instanceof Error ? error.message : 'Something went wrong.';
  const requestId = error instanceof ApiError ? error.requestId : undefined;
  return (
    <div className={classes.trouble} role="alert">
      <span className={classes.icon}>
        <CloudOff size={22} aria-hidden />
      </span>
      <h2>{what ?? 'This could not be loaded'}</h2>
      <p>{text}</p>
      {requestId && (
        <p className={classes.request}>
          Request <code>{requestId}</code>
        </p>
      )}
      {onRetry && (
        <Button variant="default" onClick={onRetry}>
          Try again
        </Button>
      )}
    </div>
  );
}

export function NotFound(props: { what: string; detail: string }) {
  usePageTitle('Not found');
  return (
    <div className={classes.trouble}>
      <h1>{props.what}</h1>
      <p>{props.detail}</p>
      <Button component={Link} to="/devices" variant="default">
        Go to Devices
      </Button>
    </div>
  );
}

/** The last resort: a page that failed to draw. */
export function PageCrash() {
  const error = useRouteError();
  return (
    <div className={classes.full}>
      <Trouble
        error={error}
        what="This page has a problem"
        onRetry={() => window.location.reload()}
      />
    </div>
  );
}
