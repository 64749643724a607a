import { useQuery } from '@tanstack/react-query';
import { Navigate, Outlet, useLocation } from 'react-router';
import { isStatus } from '../api/errors.ts';
import { useLiveEvents } from '../api/events.ts';
import * as queries from '../api/queries.ts';
import { Trouble } from '../layout/Trouble.tsx';
import { signInPath } from './returnPath.ts';

/** Everything below is for people who are signed in; others are sent to the door and back. */
export function RequireSignIn() {
  const me = useQuery(queries.me);
  const location = useLocation();
  if (isStatus(me.error, 401)) {
    return <Navigate to={signInPath(location.pathname + location.search)} replace />;
  }
  if (me.data) return <SignedIn />;
  if (me.error) return <Trouble error={me.error} onRetry={() => void me.refetch()} />;
  return null;
}

function SignedIn() {
  useLiveEvents();
  return <Outlet />;
}
