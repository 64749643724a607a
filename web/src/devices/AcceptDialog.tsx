import { Box, Button, Checkbox, Modal } from '@mantine/core';
import { ShieldAlert } from 'lucide-react';
import { useState } from 'react';
import type { AuthSet, Device } from '../api/types.ts';
import { ErrorNote } from '../layout/ErrorNote.tsx';
import { When } from '../layout/When.tsx';
import classes from './AcceptDialog.module.css';
import { Fingerprint } from './Fingerprint.tsx';
import { acceptedKey, valueText } from './facts.ts';
import { useDecide } from './useDecide.ts';

interface AcceptDialogProps {
  device: Device;
  /** The key to decide on. */
  authSet: AuthSet;
  onClose: () => void;
}

/** Accepting gives a device its place in the fleet, so its key is shown first. */
export function AcceptDialog({ device, authSet, onClose }: AcceptDialogProps) {
  const decide = useDecide();
  const [checked, setChecked] = useState(false);
  const replaces = authSet.replaces_key;
  const known = acceptedKey(device);
  const act = (to: 'accepted' | 'rejected') =>
    decide.mutate({ device, key: authSet, to }, { onSuccess: onClose });

  return (
    <Modal
      opened
      onClose={onClose}
      size="lg"
      title={replaces ? `Replace the key of ${device.name}?` : `Accept ${device.name}?`}
    >
      {replaces ? (
        <div className={classes.danger} role="alert">
          <ShieldAlert size={26} aria-hidden />
          <div>
            <strong>This device is already known by another key.</strong>
            <p>
              Someone who can copy its identity could be asking in its place. Accept only if you
              know why the key has changed, for instance because the device was installed anew. The
              device that holds the old key loses its access at once.
            </p>
          </div>
        </div>
      ) : (
        <p className={classes.lead}>
          Compare this fingerprint with the one the device shows when it asks to be accepted. If
          they are the same, the request comes from that device and nobody else.
        </p>
      )}
      <dl className={classes.facts}>
        {replaces && known && (
          <>
            <dt>Key until now</dt>
            <dd>
              <Fingerprint value={known.fingerprint} tone="old" />
            </dd>
          </>
        )}
        <dt>{replaces ? 'New key' : 'Fingerprint'}</dt>
        <dd>
          <Fingerprint value={authSet.fingerprint} tone={replaces ? 'new' : undefined} />
        </dd>
        {Object.entries(device.identity).map(([name, value]) => (
          <FactRow key={name} name={name} value={valueText(value)} />
        ))}
        <dt>Asked</dt>
        <dd>
          <When at={authSet.requested_at} />
        </dd>
      </dl>
      {replaces && (
        <Checkbox
          className={classes.check}
          color="copper"
          label="I have compared the new fingerprint with the device"
          checked={checked}
          onChange={(event) => setChecked(event.currentTarget.checked)}
        />
      )}
      {decide.error && (
        <Box mb="md">
          <ErrorNote>{decide.error.message}</ErrorNote>
        </Box>
      )}
      <div className="dialog-actions">
        <Button variant="default" onClick={onClose}>
          Not now
        </Button>
        <Button variant="default" onClick={() => act('rejected')} disabled={decide.isPending}>
          Reject
        </Button>
        {replaces ? (
          <Button
            color="danger"
            disabled={!checked}
            loading={decide.isPending}
            onClick={() => act('accepted')}
          >
            Replace key
          </Button>
        ) : (
          <Button data-autofocus loading={decide.isPending} onClick={() => act('accepted')}>
            Accept device
          </Button>
        )}
      </div>
    </Modal>
  );
}

function FactRow({ name, value }: { name: string; value: string }) {
  return (
    <>
      <dt>{name}</dt>
      <dd className="mono">{value}</dd>
    </>
  );
}
