import { ActionIcon, Box, Button, Menu, Modal, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { notifications } from '@mantine/notifications';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { EllipsisVertical } from 'lucide-react';
import { useState } from 'react';
import { useNavigate } from 'react-router';
import * as calls from '../api/calls.ts';
import * as queries from '../api/queries.ts';
import type { AuthSet, Device } from '../api/types.ts';
import { useCan } from '../auth/useCan.ts';
import { Card, Facts } from '../layout/Card.tsx';
import { CopyButton } from '../layout/Copy.tsx';
import { ErrorNote } from '../layout/ErrorNote.tsx';
import { When } from '../layout/When.tsx';
import { AcceptDialog } from './AcceptDialog.tsx';
import { useDevice } from './DevicePage.tsx';
import { Fingerprint } from './Fingerprint.tsx';
import { valueText } from './facts.ts';
import classes from './IdentityTab.module.css';
import { StatusMark } from './Marks.tsx';
import { useDecide } from './useDecide.ts';

export function Component() {
  const device = useDevice();
  const mayDecide = useCan('device.accept');
  return (
    <>
      <Card title="Identity">
        <Facts
          rows={[
            [
              'ID',
              <span key="id" className={classes.id}>
                <code data-testid="device-id">{device.id}</code>
                <CopyButton text={device.id} what="ID" />
              </span>,
            ],
            ...Object.entries(device.identity).map(
              ([name, value]) => [name, <code key={name}>{valueText(value)}</code>] as const,
            ),
            ['Known since', <When key="since" at={device.created_at} />],
          ]}
        />
      </Card>
      <Card title="Keys" note="Every key this device has asked with. At most one is accepted.">
        <ul className={classes.keys}>
          {device.auth_sets.map((key) => (
            <KeyRow key={key.id} device={device} authSet={key} mayDecide={mayDecide} />
          ))}
        </ul>
      </Card>
      {mayDecide && <Decommission device={device} />}
    </>
  );
}

function KeyRow(props: { device: Device; authSet: AuthSet; mayDecide: boolean }) {
  const { device, authSet, mayDecide } = props;
  const decide = useDecide();
  const [reviewing, setReviewing] = useState(false);
  return (
    <li className={classes.key}>
      <div className={classes.keyFacts}>
        <Fingerprint value={authSet.fingerprint} />
        <span className={classes.asked}>
          Asked <When at={authSet.requested_at} />
        </span>
        {decide.error && (
          <Text size="sm" c="red" role="alert">
            {decide.error.message}
          </Text>
        )}
      </div>
      <StatusMark status={authSet.status} />
      {mayDecide && (
        <Menu position="bottom-end">
          <Menu.Target>
            <ActionIcon aria-label={`Decide on key ${authSet.fingerprint}`}>
              <EllipsisVertical size={16} />
            </ActionIcon>
          </Menu.Target>
          <Menu.Dropdown>
            {authSet.status !== 'accepted' && (
              <Menu.Item onClick={() => setReviewing(true)}>Accept…</Menu.Item>
            )}
            {authSet.status !== 'rejected' && (
              <Menu.Item onClick={() => decide.mutate({ device, key: authSet, to: 'rejected' })}>
                Reject
              </Menu.Item>
            )}
            <Menu.Item onClick={() => decide.mutate({ device, key: authSet, to: 'dismissed' })}>
              Dismiss
            </Menu.Item>
          </Menu.Dropdown>
        </Menu>
      )}
      {reviewing && (
        <AcceptDialog device={device} authSet={authSet} onClose={() => setReviewing(false)} />
      )}
    </li>
  );
}

function Decommission({ device }: { device: Device }) {
  const [asking, ask] = useDisclosure(false);
  const client = useQueryClient();
  const navigate = useNavigate();
  const remove = useMutation({
    mutationFn: () => calls.decommission(device.id),
    onSuccess: async () => {
      notifications.show({ message: `${device.name} is decommissioned.` });
      await navigate('/devices');
      client.removeQueries({ queryKey: queries.device(device.id).queryKey });
      await client.invalidateQueries({ queryKey: queries.deviceLists });
      await client.invalidateQueries({ queryKey: queries.deviceCounts.queryKey });
    },
  });
  return (
    <section className={classes.danger}>
      <div>
        <h2>Decommission</h2>
        <p>Removes the device, its keys and its inventory. Open terminals end at once.</p>
      </div>
      <Button variant="default" className={classes.dangerButton} onClick={ask.open}>
        Decommission…
      </Button>
      <Modal opened={asking} onClose={ask.close} title={`Decommission ${device.name}?`}>
        <Text size="sm" c="dimmed">
          Its connection is cut and its tokens stop working. If its agent keeps running, it will ask
          to be accepted again as a new device.
        </Text>
        {remove.error && (
          <Box mt="md">
            <ErrorNote>{remove.error.message}</ErrorNote>
          </Box>
        )}
        <div className="dialog-actions">
          <Button variant="default" onClick={ask.close} data-autofocus>
            Cancel
          </Button>
          <Button color="danger" loading={remove.isPending} onClick={() => remove.mutate()}>
            Decommission
          </Button>
        </div>
      </Modal>
    </section>
  );
}
