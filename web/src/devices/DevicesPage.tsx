import { Button, Modal, Pagination, TextInput } from '@mantine/core';
import { useDebouncedCallback, useDisclosure, useHotkeys } from '@mantine/hooks';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Plus, Search, SearchX } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import { useSearchParams } from 'react-router';
import { type DeviceCounts, STATUS_FILTERS, type StatusFilter } from '../api/calls.ts';
import * as queries from '../api/queries.ts';
import { Nothing } from '../layout/Nothing.tsx';
import { Trouble } from '../layout/Trouble.tsx';
import { usePageTitle } from '../layout/usePageTitle.ts';
import classes from './DevicesPage.module.css';
import { DeviceTable, DeviceTableSkeleton } from './DeviceTable.tsx';
import { EnrolGuide } from './EnrolGuide.tsx';

const TAB_LABELS: Record<StatusFilter | '', string> = {
  '': 'All',
  accepted: 'Accepted',
  pending: 'Pending',
  rejected: 'Rejected',
};
const TABS = ['', ...STATUS_FILTERS] as const;

/** The list's filter lives in the address, so that it can be shared and survives going back. */
function useFilter() {
  const [params, setParams] = useSearchParams();
  const status = STATUS_FILTERS.find((known) => known === params.get('status')) ?? '';
  const page = Math.max(1, Math.trunc(Number(params.get('page')) || 1));
  const filter: queries.DeviceFilter = { status, q: params.get('q') ?? '', page };
  const change = (next: Partial<queries.DeviceFilter>) =>
    setParams(
      () => {
        const to = { ...filter, page: 1, ...next };
        const search = new URLSearchParams();
        if (to.status) search.set('status', to.status);
        if (to.q) search.set('q', to.q);
        if (to.page > 1) search.set('page', `${to.page}`);
        return search;
      },
      { replace: next.q !== undefined },
    );
  return { filter, change };
}

export function DevicesPage() {
  usePageTitle('Devices');
  const { filter, change } = useFilter();
  const counts = useQuery({ ...queries.deviceCounts, placeholderData: keepPreviousData });
  const list = useQuery(queries.deviceList(filter));
  const [adding, add] = useDisclosure(false);

  const total = counts.data && STATUS_FILTERS.reduce((sum, status) => sum + counts.data[status], 0);
  const firstSteps = total === 0 && list.data?.total === 0 && !filter.q;

  return (
    <>
      <div className={classes.head}>
        <div>
          <h1>Devices</h1>
          <p>{summary(counts.data)}</p>
        </div>
        {!firstSteps && (
          <Button
            className={classes.add}
            leftSection={<Plus size={16} aria-hidden />}
            onClick={add.open}
          >
            Add device
          </Button>
        )}
      </div>
      {firstSteps ? (
        <section className={classes.first}>
          <EnrolGuide waiting />
        </section>
      ) : (
        <>
          <div className={classes.tools}>
            <StatusTabs
              counts={counts.data}
              current={filter.status}
              onChange={(status) => change({ status })}
            />
            <SearchField value={filter.q} onChange={(q) => change({ q })} />
          </div>
          {list.error ? (
            <Trouble error={list.error} onRetry={() => void list.refetch()} />
          ) : !list.data ? (
            <DeviceTableSkeleton />
          ) : list.data.devices.length === 0 ? (
            <NoDevice filter={filter} onReset={() => change({ q: '', status: '' })} />
          ) : (
            <DeviceTable devices={list.data.devices} stale={list.isPlaceholderData} />
          )}
          {list.data && list.data.total > queries.PAGE_SIZE && (
            <Pagination
              className={classes.pages}
              size="sm"
              total={Math.ceil(list.data.total / queries.PAGE_SIZE)}
              value={filter.page}
              onChange={(page) => change({ page })}
              getControlProps={(control) => ({ 'aria-label': `${control} page` })}
            />
          )}
        </>
      )}
      <Modal opened={adding} onClose={add.close} size="lg" title="Add a device" keepMounted={false}>
        <EnrolGuide />
      </Modal>
    </>
  );
}

function summary(counts: DeviceCounts | undefined): string {
  if (!counts) return ' ';
  const { accepted, pending } = counts;
  const parts = [`${accepted} accepted`];
  if (pending) parts.push(`${pending} pending`);
  return parts.join(' · ');
}

function StatusTabs(props: {
  counts: DeviceCounts | undefined;
  current: StatusFilter | '';
  onChange: (status: StatusFilter | '') => void;
}) {
  const { counts, current, onChange } = props;
  const countOf = (tab: StatusFilter | ''): number | undefined =>
    counts && (tab ? counts[tab] : STATUS_FILTERS.reduce((sum, status) => sum + counts[status], 0));
  return (
    <fieldset className={classes.tabs} aria-label="Filter by status">
      {TABS.map((tab) => (
        <button
          key={tab}
          type="button"
          className={classes.tab}
          aria-pressed={tab === current}
          data-status={tab}
          onClick={() => onChange(tab)}
        >
          {TAB_LABELS[tab]}
          <span className={classes.count}>{countOf(tab) ?? ' '}</span>
        </button>
      ))}
    </fieldset>
  );
}

const SEARCH_DELAY_MS = 200;

function SearchField({ value, onChange }: { value: string; onChange: (q: string) => void }) {
  const [text, setText] = useState(value);
  const input = useRef<HTMLInputElement>(null);
  const tell = useDebouncedCallback(onChange, SEARCH_DELAY_MS);
  useHotkeys([['/', () => input.current?.focus()]]);
  useEffect(() => setText(value), [value]);
  return (
    <TextInput
      ref={input}
      className={classes.search}
      type="search"
      aria-label="Search devices"
      placeholder="Name, ID, MAC address…"
      leftSection={<Search size={15} />}
      rightSection={text ? null : <kbd className={classes.key}>/</kbd>}
      value={text}
      onChange={(event) => {
        setText(event.currentTarget.value);
        tell(event.currentTarget.value.trim());
      }}
    />
  );
}

function NoDevice({ filter, onReset }: { filter: queries.DeviceFilter; onReset: () => void }) {
  const text = filter.q
    ? `No device matches “${filter.q}”.`
    : {
        '': 'There are no devices.',
        accepted: 'No device has been accepted yet.',
        pending: 'No device is waiting. New ones show up here by themselves.',
        rejected: 'No device has been rejected.',
      }[filter.status];
  return (
    <Nothing icon={SearchX} text={text}>
      <Button variant="default" size="compact-sm" onClick={onReset}>
        Show all devices
      </Button>
    </Nothing>
  );
}
