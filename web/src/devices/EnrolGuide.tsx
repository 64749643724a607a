import { SegmentedControl } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import * as queries from '../api/queries.ts';
import { Command } from '../layout/Copy.tsx';
import classes from './EnrolGuide.module.css';
import { agentCommand, menderConfig } from './enrolCommands.ts';

/** Teaches how a machine becomes a device; `waiting` when there is none yet. */
export function EnrolGuide({ waiting = false }: { waiting?: boolean }) {
  const server = useQuery(queries.server).data;
  const [way, setWay] = useState<'agent' | 'mender'>('agent');
  const url = server?.public_url || window.location.origin;
  return (
    <div className={classes.guide}>
      {waiting && (
        <>
          <h2>Connect your first device</h2>
          <p className={classes.lead}>
            A device needs no open port: its agent dials out to this server and asks to be accepted.
          </p>
        </>
      )}
      <SegmentedControl
        value={way}
        onChange={(value) => setWay(value === 'mender' ? 'mender' : 'agent')}
        data={[
          { value: 'agent', label: 'Longwire agent' },
          { value: 'mender', label: 'Mender client' },
        ]}
        aria-label="Kind of device"
        mb="lg"
      />
      <ol className={classes.steps}>
        {way === 'agent' ? (
          <li>
            <h3>Start the agent on the device</h3>
            <p>It makes its own key and keeps it in the data folder. Root is not needed.</p>
            <Command>{agentCommand(url)}</Command>
          </li>
        ) : (
          <li>
            <h3>Point the Mender client here</h3>
            <p>
              In <code>/etc/mender/mender.conf</code>, then restart the client. Remote terminal
              works by <code>mender-connect</code> as it is, or by <code>longwire-agent</code> in
              its place.
            </p>
            <Command>{menderConfig(url)}</Command>
          </li>
        )}
        <li>
          <h3>Compare the fingerprint</h3>
          <p>
            {way === 'agent'
              ? 'The agent prints the fingerprint of its key when it asks. The same one shows here.'
              : 'The fingerprint of the client’s public key shows here beside its request.'}
          </p>
        </li>
        <li>
          <h3>Accept it under Pending</h3>
          <p>Seconds later the device is connected and its terminal one click away.</p>
        </li>
      </ol>
      {waiting && (
        <p className={classes.waiting} role="status">
          <span className={classes.pulse} aria-hidden /> Waiting for a device to ask. This page
          notices by itself.
        </p>
      )}
    </div>
  );
}
