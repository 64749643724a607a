import { Button, Pagination, Skeleton } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { SquareTerminal } from 'lucide-react';
import { Link, useSearchParams } from 'react-router';
import * as queries from '../api/queries.ts';
import { Nothing } from '../layout/Nothing.tsx';
import { Trouble } from '../layout/Trouble.tsx';
import { usePageTitle } from '../layout/usePageTitle.ts';
import { SessionList } from './SessionList.tsx';
import classes from './SessionsPage.module.css';

/** Every live session one may see, on whatever device. */
export function Component() {
  usePageTitle('Sessions');
  const [params, setParams] = useSearchParams();
  const page = Math.max(1, Math.trunc(Number(params.get('page')) || 1));
  const list = useQuery(queries.sessions(page));
  return (
    <>
      <div className={classes.head}>
        <h1>Sessions</h1>
        <p>Shells that run now. One that nobody is attached to goes on, and waits for you.</p>
      </div>
      {list.error && !list.data ? (
        <Trouble error={list.error} onRetry={() => void list.refetch()} />
      ) : !list.data ? (
        <Skeleton h={180} radius="lg" />
      ) : list.data.sessions.length === 0 ? (
        <Nothing icon={SquareTerminal} text="No session is running.">
          <Button component={Link} to="/devices" variant="default" size="compact-sm">
            Choose a device
          </Button>
        </Nothing>
      ) : (
        <section className={classes.card} aria-label="Live sessions">
          <SessionList sessions={list.data.sessions} showDevice />
        </section>
      )}
      {list.data && list.data.total > queries.PAGE_SIZE && (
        <Pagination
          className={classes.pages}
          size="sm"
          total={Math.ceil(list.data.total / queries.PAGE_SIZE)}
          value={page}
          onChange={(next) => setParams({ page: `${next}` })}
          getControlProps={(control) => ({ 'aria-label': `${control} page` })}
        />
      )}
    </>
  );
}
